"""Counts what was done with each company, person and project: by kind of activity, and by state and size of sales.

One set of rows per kind of owner is computed beside the old ones and exchanged for them in one transaction. There is
a row only where there is something to count. For every sale there is one more row with the state "all".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.orm import Session

from batchtask import crm7
from batchtask.definitions import TaskContext
from worker.tasks.status_monitors.counter_statements import (
    ADDED,
    BEFORE,
    CHANGED,
    COUNTED,
    DOUBLED,
    GONE,
    INSERT,
    UPDATE,
)
from worker.tasks.status_monitors.exclusion import Work, wait_for_turn
from worker.tasks.status_monitors.owners import OwnerKind, load_kinds
from worker.tasks.status_monitors.results import COUNTERS, Change, Piece, Results
from worker.tasks.status_monitors.staging import add_rows, change_untouched, first_new_id, settle_in, stage


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """How counters of one kind of owner are kept; periods are in days, counted back from today."""

    enabled: bool
    periods: tuple[int, int, int]


def load_configurations(connection: Connection) -> dict[int, Configuration]:
    """Return the configurations by number of the owners' table."""
    row = crm7.saintconfiguration.c
    rows = select(row.ownertable, row.enabled, row.period1, row.period2, row.period3)
    return {
        owner_table: Configuration(enabled=bool(enabled), periods=(first, second, third))
        for owner_table, enabled, first, second, third in connection.execute(rows)
    }


def mark_counting(session: Session, kind: OwnerKind) -> None:
    """Note that a generation has begun."""
    session.execute(_configuration_of(kind).values(generationstart=func.localtimestamp()))


def count_anew(session: Session, context: TaskContext, kind: OwnerKind, configuration: Configuration) -> Change:
    """Exchange the counters of one kind of owner, within a transaction that the caller commits.

    Counters that the CRM has changed meanwhile are left as they are: it has counted on from the old ones.
    """
    settle_in(session)
    context.check_cancelled()
    names = {"key": kind.key, "subject": kind.subject}
    before = stage(session, "saint_before", BEFORE.format(**names))
    periods = {f"days{place}": days for place, days in enumerate(configuration.periods, 1)}
    counted = stage(session, "saint_counted", COUNTED.format(**names), periods)
    context.check_cancelled()
    added = stage(session, "saint_added", ADDED)
    gone = stage(session, "saint_gone", GONE)
    if before - gone > counted - added:
        gone += add_rows(session, DOUBLED)
    changed = stage(session, "saint_changed", CHANGED)
    added = _insert(session, context, kind, added)
    values = {"associate_id": context.owner}
    refreshed = change_untouched(session, crm7.countervalue, "saint_changed", UPDATE, values) if changed else 0
    delete = "DELETE FROM crm7.countervalue row"
    removed = change_untouched(session, crm7.countervalue, "saint_gone", delete, {}) if gone else 0
    session.execute(
        _configuration_of(kind).values(generationend=text("clock_timestamp()::timestamp"), rowsgenerated=counted)
    )
    return Change(added=added, changed=refreshed, removed=removed, unchanged=counted - added - changed)


def _insert(session: Session, context: TaskContext, kind: OwnerKind, count: int) -> int:
    if not count:
        return 0
    first_id = first_new_id(context, crm7.countervalue, count)
    insert = INSERT.format(owners=kind.columns("owner_id"), key=kind.key)
    return add_rows(session, insert, {"first_id": first_id, "associate_id": context.owner})


def _configuration_of(kind: OwnerKind) -> Any:
    return update(crm7.saintconfiguration).where(crm7.saintconfiguration.c.ownertable == kind.table_number)


class CounterPieces:
    """Regenerates counters, those of one kind of record at a time."""

    def __init__(self, context: TaskContext, results: Results) -> None:
        self._context = context
        self._results = results
        with context.connect() as connection:
            self._kinds = load_kinds(connection)
            self._configurations = load_configurations(connection)

    def all(self) -> list[Piece]:
        """Return a piece for each kind of record."""
        return [self._piece(kind) for kind in self._kinds.values()]

    def _piece(self, kind: OwnerKind) -> Piece:
        key, title = f"{COUNTERS}{kind.plural}", f"Counters of {kind.plural}"

        def regenerate() -> None:
            configuration = self._configurations.get(kind.table_number)
            if configuration is None or not configuration.enabled:
                reason = "there are no settings for them" if configuration is None else "they are switched off"
                self._results.skip(key, title, reason)
            else:
                self._count(key, kind, configuration)

        return Piece(key=key, title=title, regenerate=regenerate)

    def _count(self, key: str, kind: OwnerKind, configuration: Configuration) -> None:
        with self._context.transaction() as session:
            mark_counting(session, kind)
        with self._context.transaction() as session:
            wait_for_turn(session, self._context, Work.COUNTERS, kind.table_number)
            self._results.note(key, count_anew(session, self._context, kind, configuration))
            self._results.settle(key)
