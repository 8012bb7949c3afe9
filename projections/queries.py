"""Read queries: what the UI, the REST API, the command line and reports ask of the rows and the streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, select

from batchtask.database import database_errors
from batchtask.errors import TaskNotFound
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.store import select_events
from batchtask.tables import batchtask, batchtaskdefinition, dead_letter, log_line
from projections.rows import State

OPEN_STATES = (State.New, State.Aquired, State.Started)


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A task as its row shows it; times are aware UTC but for `laststarted`, which is local to the database."""

    batchtask_id: int
    task_id: UUID
    version: int
    name: str
    description: str
    dbtag: str
    state: State
    detailstable: int | None
    detailsrecord: int | None
    request: str
    response: str
    startcount: int
    laststarted: datetime | None
    progresspercent: int
    progressdescription: str
    registered: datetime
    registered_associate_id: int
    updated: datetime
    filename: str | None
    due_at: datetime | None  #: while it waits for a time: when it goes on
    stopping: bool  #: it runs, and was asked to stop

    @property
    def finished(self) -> bool:
        return self.state not in OPEN_STATES


class LoggedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a task logged."""

    attempt: int
    logged_at: datetime
    level: int
    text: str


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was set aside."""

    id: int
    message_id: str
    task_id: UUID | None
    queue: str
    reason: str
    arrived_at: datetime


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks are wanted; None = any."""

    owner: int | None = None  #: associate id
    states: Sequence[State] | None = None
    name: str | None = None  #: of the definition
    before: int | None = None  #: only tasks with a lower number: the next page
    limit: int = 20


#: A projector of an older release, while releases are mixed, ends an attempt and leaves the column as it is.
is_stopping: ColumnElement[bool] = and_(batchtask.c.stopping, batchtask.c.state == State.Started)

_TASKS = select(
    *(batchtask.c[name] for name in TaskRow.__struct_fields__ if name not in {"name", "stopping"}),
    is_stopping.label("stopping"),
    func.coalesce(batchtaskdefinition.c.name, "").label("name"),
).join_from(
    batchtask,
    batchtaskdefinition,
    batchtask.c.batchtaskdefinition_id == batchtaskdefinition.c.batchtaskdefinition_id,
    isouter=True,
)


class Queries:
    """Answers questions; every method is one short read. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def task(self, key: TaskId | int) -> TaskRow:
        """Return one task by its id or its number.

        Raises:
            TaskNotFound: No row of it; right after a submission it may still be on its way.
        """
        column = batchtask.c.batchtask_id if isinstance(key, int) else batchtask.c.task_id
        found = self._rows(_TASKS.where(column == key))
        if not found:
            raise TaskNotFound(str(key))
        return found[0]

    def tasks(self, wanted: TaskFilter) -> list[TaskRow]:
        """Return tasks, newest first."""
        query = _TASKS.order_by(batchtask.c.batchtask_id.desc()).limit(wanted.limit)
        if wanted.owner is not None:
            query = query.where(batchtask.c.registered_associate_id == wanted.owner)
        if wanted.states is not None:
            query = query.where(batchtask.c.state.in_(wanted.states))
        if wanted.name is not None:
            query = query.where(batchtaskdefinition.c.name == wanted.name)
        if wanted.before is not None:
            query = query.where(batchtask.c.batchtask_id < wanted.before)
        return self._rows(query)

    def by_ids(self, task_ids: Sequence[TaskId]) -> list[TaskRow]:
        """Return the rows there are for some ids, in no order."""
        return self._rows(_TASKS.where(batchtask.c.task_id.in_(task_ids)))

    def history(self, task_id: TaskId) -> list[RecordedEvent]:
        """Return everything that happened to a task, in order.

        Raises:
            TaskNotFound: Nothing was recorded of it.
        """
        with database_errors(), self._engine.connect() as connection:
            events = select_events(connection, {task_id: -1})[task_id]
        if not events:
            raise TaskNotFound(str(task_id))
        return events

    def log(self, task_id: TaskId, *, after: int = 0, limit: int | None = None) -> list[LoggedLine]:
        """Return the lines a task logged, in order, of all attempts: at most `limit` behind the first `after`."""
        query = (
            select(*(log_line.c[name] for name in LoggedLine.__struct_fields__))
            .where(log_line.c.task_id == task_id)
            .order_by(log_line.c.id)
            .offset(after)
            .limit(limit)
        )
        with database_errors(), self._engine.connect() as connection:
            return [LoggedLine(**row) for row in connection.execute(query).mappings()]

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return what was set aside, newest first."""
        query = (
            select(*(dead_letter.c[name] for name in DeadLetter.__struct_fields__))
            .order_by(dead_letter.c.id.desc())
            .limit(limit)
        )
        with database_errors(), self._engine.connect() as connection:
            return [DeadLetter(**row) for row in connection.execute(query).mappings()]

    def _rows(self, query: Select[tuple[object, ...]]) -> list[TaskRow]:
        with database_errors(), self._engine.connect() as connection:
            return _read(connection, query)


def _read(connection: Connection, query: Select[tuple[object, ...]]) -> list[TaskRow]:
    return [TaskRow(**{**row, "state": State(row["state"])}) for row in connection.execute(query).mappings()]
