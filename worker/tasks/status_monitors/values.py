"""Exchanges the values of one status monitor, old for new, in one transaction; what users do meanwhile is not lost.

A user who changes a record meanwhile makes the CRM mark its values as in need of an update. Such a mark is never
overwritten. A value that is new, and that the CRM therefore could not mark, we mark ourselves if its record has
changed since the criteria were put to it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, text
from sqlalchemy.orm import Session

from batchtask import crm7
from batchtask.definitions import TaskContext
from worker.tasks.status_monitors.monitors import Monitor
from worker.tasks.status_monitors.owners import OwnerKind
from worker.tasks.status_monitors.results import Change
from worker.tasks.status_monitors.staging import change_untouched, first_new_id, settle_in, stage


class Exchange:
    """The exchange of one monitor's values, within a transaction that the caller commits.

    Args:
        monitor: Its lock must be held: two exchanges of one monitor at once would insert each match twice.
        context: For ids, and to be stopped between two steps.
    """

    def __init__(self, session: Session, context: TaskContext, monitor: Monitor, kind: OwnerKind) -> None:
        self._session = session
        self._context = context
        self._kind = kind
        self._marks_on_change = monitor.marks_on_change
        self._values = {"statusdef_id": monitor.statusdef_id, "associate_id": context.owner}

    def run(self, matches: Select[Any]) -> Change:
        """Put the criteria to all records and write what has changed.

        Args:
            matches: Selects the ids, as `id`, of the records that fit.
        """
        settle_in(self._session)
        self._context.check_cancelled()
        # The old values are read before the criteria are put: a mark set in between is one that we do not know of.
        before = self._stage("saint_before", _BEFORE.format(key=self._kind.key))
        snapshot = self._session.execute(_SNAPSHOT).scalar_one()
        matched = stage(self._session, "saint_matched", matches)
        added = self._stage("saint_added", _ADDED)
        changed = self._stage("saint_changed", _CHANGED)
        gone = self._count("saint_changed WHERE NOT fits")
        if before - gone > matched - added:
            changed += self._strike_doubles()
        self._context.check_cancelled()
        self._insert(added)
        # From here to the commit whoever saves one of the records that change waits for us: nothing else follows.
        refreshed, removed = self._change() if changed else (0, 0)
        if added and self._marks_on_change:
            self._mark_dirty(snapshot)
        unchanged = matched - added - self._count("saint_changed WHERE fits")
        return Change(added=added + refreshed, removed=removed, unchanged=unchanged)

    def _stage(self, name: str, sql: str) -> int:
        return stage(self._session, name, sql, self._values)

    def _insert(self, count: int) -> None:
        if not count:
            return
        first_id = first_new_id(self._context, crm7.statusvalue, count)
        insert = text(_INSERT.format(owners=self._kind.columns("id")))
        self._session.execute(insert, {**self._values, "first_id": first_id})

    def _strike_doubles(self) -> int:
        """Let only one value of each record stay; return how many go. They were written by somebody else."""
        count = self._stage("saint_doubles", _DOUBLES)
        self._session.execute(text(_STRIKE_DOUBLES))
        return count

    def _change(self) -> tuple[int, int]:
        refresh = "(SELECT * FROM saint_changed WHERE fits)"
        remove = "(SELECT * FROM saint_changed WHERE NOT fits)"
        return (
            change_untouched(self._session, crm7.statusvalue, refresh, _SWITCH_ON, self._values),
            change_untouched(self._session, crm7.statusvalue, remove, "DELETE FROM crm7.statusvalue row", {}),
        )

    def _mark_dirty(self, snapshot: str) -> None:
        owners = " UNION ".join(
            _CHANGED_SINCE.format(table=table, key=key) for table, key in self._kind.sources.items()
        )
        mark = text(_MARK_DIRTY.format(key=self._kind.key, owners=owners))
        self._session.execute(mark, {**self._values, "snapshot": snapshot})

    def _count(self, rows: str) -> int:
        return int(self._session.execute(text(f"SELECT count(*) FROM {rows}")).scalar_one())  # noqa: S608 - of ours


_BEFORE = """
SELECT statusvalue_id, {key} AS id, issignalled = 1 AND needsupdate = 0 AS is_valid, xmin AS seen
FROM crm7.statusvalue WHERE statusdef_id = :statusdef_id
"""

_SNAPSHOT = text("SELECT pg_current_snapshot()::text")

# In the order of the records, so that neighbours in the indexes are written together.
_ADDED = """
SELECT id, row_number() OVER (ORDER BY id) AS place FROM saint_matched
WHERE NOT EXISTS (SELECT FROM saint_before before WHERE before.id = saint_matched.id)
"""

_CHANGED = """
SELECT before.statusvalue_id, before.seen, saint_matched.id IS NOT NULL AS fits
FROM saint_before before LEFT JOIN saint_matched USING (id) WHERE saint_matched.id IS NULL OR NOT before.is_valid
"""

_DOUBLES = """
SELECT statusvalue_id, seen FROM (
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY is_valid DESC, statusvalue_id) AS place FROM saint_before
) numbered
WHERE place > 1
"""

_STRIKE_DOUBLES = """
DELETE FROM saint_changed WHERE statusvalue_id IN (SELECT statusvalue_id FROM saint_doubles);
INSERT INTO saint_changed SELECT statusvalue_id, seen, false FROM saint_doubles
"""

_INSERT = """
INSERT INTO crm7.statusvalue (statusvalue_id, statusdef_id, contact_id, person_id, project_id, extra1_id, extra2_id,
    issignalled, needsupdate, registered, registered_associate_id, updated, updated_associate_id, updatedcount)
SELECT :first_id + place - 1, :statusdef_id, {owners}, 0, 0, 1, 0, now(), :associate_id, now(), :associate_id, 0
FROM saint_added ORDER BY place
"""

_SWITCH_ON = """
UPDATE crm7.statusvalue row SET issignalled = 1, needsupdate = 0,
    updated = now(), updated_associate_id = :associate_id, updatedcount = row.updatedcount + 1
"""

# By transaction numbers, not by the times in the rows, which are of the CRM's clocks. The number of a row's writer is
# counted back from our own, because `xmin` has lost its upper half:
# https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
_CHANGED_SINCE = """
SELECT {key} AS id FROM crm7.{table}
WHERE CASE WHEN age(xmin) <= age(pg_snapshot_xmin(CAST(:snapshot AS pg_snapshot))::xid) THEN NOT
    pg_visible_in_snapshot(
        (pg_current_xact_id()::text::bigint - age(xmin))::text::xid8, CAST(:snapshot AS pg_snapshot)
    ) END
"""

# Only rows of our own, which nobody else sees: no waiting.
_MARK_DIRTY = """
UPDATE crm7.statusvalue row SET issignalled = 0, needsupdate = 1
FROM ({owners}) changed
WHERE row.statusdef_id = :statusdef_id AND row.{key} = changed.id AND row.xmin = pg_current_xact_id()::xid
"""
