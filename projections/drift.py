"""Where a task's row and its stream may have come apart, or its message may be gone: reads for the reconciler.

Every look compares a row with the newest event of its stream in one statement. Ages are the database's: when an event
was recorded, by the clock that recorded it, and never longer than the database has been up, because nobody could
record anything while it was away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, true

from batchtask.identifiers import TaskId
from batchtask.tables import batchtask, event, outbox, schedule
from projections.rows import State

#: Tasks in one statement.
PAGE = 5000
#: What is due for this long, nobody publishes: no projections process runs, or the broker takes nothing. A guess.
OVERDUE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Look:
    """A task as its row and the end of its stream showed it at one moment."""

    task_id: TaskId
    number: int  #: `batchtask_id`
    row_version: int
    version: int  #: of the newest event
    quiet_seconds: float  #: since that was recorded, or since the database was started


#: -1 where there is no row: the version before the first event.
_ROW_VERSION = func.coalesce(batchtask.c.version, -1)

_head = (
    select(event.c.version, event.c.recorded_at)
    .where(event.c.task_id == batchtask.c.task_id)
    .order_by(event.c.version.desc())
    .limit(1)
    .lateral("head")
)


def _quiet(recorded_at: ColumnElement[datetime]) -> ColumnElement[Any]:
    since = func.greatest(recorded_at, func.pg_postmaster_start_time())
    return func.extract("epoch", func.clock_timestamp() - since)


_LOOKS = select(
    batchtask.c.task_id,
    batchtask.c.batchtask_id.label("number"),
    batchtask.c.version.label("row_version"),
    _head.c.version,
    _quiet(_head.c.recorded_at).label("quiet_seconds"),
).join_from(batchtask, _head, true())


def pages(read: Callable[[int], list[Look]]) -> Iterator[list[Look]]:
    """Yield all that a query finds, a page at a time, by giving it the last number of the page before."""
    after = 0
    while page := read(after):
        yield page
        after = page[-1].number


def rows(connection: Connection, *, after: int, state: State | None = None, limit: int = PAGE) -> list[Look]:
    """Return a page of rows, all of them or those in one state."""
    return _page(connection, _LOOKS if state is None else _LOOKS.where(batchtask.c.state == state), after, limit)


def behind(looks: Iterable[Look], *, quiet_seconds: float) -> dict[TaskId, int]:
    """The tasks whose rows lack events recorded this long ago or longer, and the version that the row has."""
    return {
        look.task_id: look.row_version
        for look in looks
        if look.row_version < look.version and look.quiet_seconds > quiet_seconds
    }


def quiet_attempts(connection: Connection, *, quiet_seconds: float, after: int) -> list[Look]:
    """Return a page of tasks that run by their rows, and of which nothing was recorded for this long."""
    running = _LOOKS.where(batchtask.c.state == State.Started, _quiet(_head.c.recorded_at) > quiet_seconds)
    return _page(connection, running, after)


def queued(connection: Connection, *, quiet_seconds: float, after: int = 0) -> list[Look]:
    """Return a page of tasks that wait for a worker by their rows, for this long, and that no relay has in hand."""
    waiting = _LOOKS.where(
        batchtask.c.state == State.New,
        batchtask.c.due_at.is_(None),
        _quiet(_head.c.recorded_at) > quiet_seconds,
        ~select(outbox.c.id).where(outbox.c.task_id == batchtask.c.task_id).exists(),
    )
    return _page(connection, waiting, after)


def looks(connection: Connection, task_ids: Collection[TaskId]) -> list[Look]:
    """Look at some tasks again."""
    return _read(connection, _LOOKS.where(batchtask.c.task_id.in_(task_ids))) if task_ids else []


def recently_behind(connection: Connection, *, since: datetime, until: datetime) -> dict[TaskId, int]:
    """Return what `behind` does, for events that were recorded in a span of time, and for streams without a row."""
    newest = (
        select(event.c.task_id, func.max(event.c.version).label("version"))
        .where(event.c.recorded_at > since, event.c.recorded_at <= until)
        .group_by(event.c.task_id)
        .subquery("newest")
    )
    query = (
        select(newest.c.task_id, _ROW_VERSION)
        .join_from(newest, batchtask, newest.c.task_id == batchtask.c.task_id, isouter=True)
        .where(newest.c.version > _ROW_VERSION)
    )
    return {TaskId(row[0]): row[1] for row in connection.execute(query.limit(PAGE))}


def without_row(connection: Connection, *, until: datetime) -> Iterator[dict[TaskId, int]]:
    """Yield streams begun before a time that have no row; reads the first event of every stream."""
    query = (
        select(event.c.task_id)
        .join_from(event, batchtask, event.c.task_id == batchtask.c.task_id, isouter=True)
        .where(event.c.version == 0, event.c.recorded_at <= until, batchtask.c.task_id.is_(None))
        .order_by(event.c.task_id)
        .limit(PAGE)
    )
    found = connection.execute(query).scalars().all()
    while found:
        yield {TaskId(task_id): -1 for task_id in found}
        found = connection.execute(query.where(event.c.task_id > found[-1])).scalars().all()


def database_time(connection: Connection, *, ago_seconds: float = 0) -> datetime:
    """The database's clock, some time ago."""
    at: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return at - timedelta(seconds=ago_seconds)


def counts(connection: Connection) -> dict[str, int]:
    """How many tasks are in which state by their rows, and what else waits."""
    state, due_at = batchtask.c.state, batchtask.c.due_at
    tallies = {
        "queued": (state == State.New) & due_at.is_(None),
        "waiting": (state == State.New) & due_at.is_not(None),
        "running": state.in_([State.Aquired, State.Started]),
        "finished": state.in_([State.Succeeded, State.SucceededManualCleanup]),
        "dead": state == State.Failed,
        "overdue": (state == State.New) & (due_at < func.now() - timedelta(seconds=OVERDUE_SECONDS)),
    }
    query = select(*(func.count().filter(holds).label(name) for name, holds in tallies.items()))
    found = dict(connection.execute(query.select_from(batchtask)).mappings().one())
    for table in (outbox, schedule):
        found[table.name] = connection.execute(select(func.count()).select_from(table)).scalar_one()
    found["schedules"] = found.pop("schedule")
    return found


def _page(connection: Connection, query: Select[Any], after: int, limit: int = PAGE) -> list[Look]:
    number = batchtask.c.batchtask_id
    return _read(connection, query.where(number > after).order_by(number).limit(limit))


def _read(connection: Connection, query: Select[Any]) -> list[Look]:
    return [Look(TaskId(row[0]), row[1], row[2], row[3], float(row[4])) for row in connection.execute(query)]
