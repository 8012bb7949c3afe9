"""What is watched: definitions of status monitors with their names, and the books that are kept about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, ScalarSelect, Update, and_, func, select, text, update
from sqlalchemy.orm import Session

from batchtask import crm7

_NAME_OF_MONITOR = 16  # `localetext.typeid`
_NEVER = datetime(1, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """One definition."""

    statusdef_id: int
    name: str
    owner_table: int
    deleted: bool
    marks_on_change: bool  #: a change of a record makes its value dirty


def load_monitors(connection: Connection) -> list[Monitor]:
    """Return all definitions, also deleted ones, in the order in which administrators see them.

    Those whose last generation did not end come last: whatever it was that a generation died of, or exceeded its time
    with, the others are done first.
    """
    row = crm7.statusdef.c
    broken_off = row.generationstart > func.coalesce(row.lastgenerated, _NEVER)
    definitions = connection.execute(
        select(crm7.statusdef, _name().label("name")).order_by(
            func.coalesce(broken_off, False), row.ownertable, row.rank, row.statusdef_id
        )
    )
    return [
        Monitor(
            statusdef_id=found.statusdef_id,
            name=found.name or f"Status monitor {found.statusdef_id}",
            owner_table=found.ownertable or 0,
            deleted=bool(found.deleted),
            marks_on_change=found.dirtyonchange != 0,
        )
        for found in definitions
    ]


def mark_started(session: Session, monitor: Monitor) -> None:
    """Note that a generation has begun: until its end is noted, administrators see that it runs or was broken off."""
    session.execute(_of(monitor).values(generationstart=func.localtimestamp()))


def mark_stale(session: Session, monitor: Monitor) -> None:
    """Note that the values are not to be trusted."""
    session.execute(_of(monitor).values(needsupdate=1))


def lock_definition(session: Session, monitor: Monitor) -> None:
    """Wait for the definition's row, so that nobody can mark it as changed until the transaction ends."""
    definition = crm7.statusdef.c
    locked = select(definition.statusdef_id).where(definition.statusdef_id == monitor.statusdef_id)
    session.execute(locked.with_for_update())


def mark_generated(session: Session, monitor: Monitor, *, stale: bool) -> None:
    """Note the end of a generation, and count what there is now; `stale` if the criteria are others by now."""
    session.execute(_MARK_GENERATED, {"statusdef_id": monitor.statusdef_id, "stale": int(stale)})


_MARK_GENERATED = text("""
UPDATE crm7.statusdef definition
SET lastgenerated = clock_timestamp()::timestamp, needsupdate = :stale,
    nummatches = counted.matches, numneedupdate = counted.dirty
FROM (
    SELECT count(*) FILTER (WHERE issignalled = 1) AS matches, count(*) FILTER (WHERE needsupdate = 1) AS dirty
    FROM crm7.statusvalue WHERE statusdef_id = :statusdef_id
) counted
WHERE definition.statusdef_id = :statusdef_id
""")


def _of(monitor: Monitor) -> Update:
    return update(crm7.statusdef).where(crm7.statusdef.c.statusdef_id == monitor.statusdef_id)


def _name() -> ScalarSelect[str | None]:
    name = crm7.localetext.c
    of_monitor = and_(name.typeid == _NAME_OF_MONITOR, name.resourceid == crm7.statusdef.c.statusdef_id)
    # Language 0 is the one for everybody.
    return select(name.text).where(of_monitor).order_by(name.languageid).limit(1).scalar_subquery()
