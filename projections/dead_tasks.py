"""Dead tasks, as an operator asks for them: which there are, and what happened in every attempt of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, or_, select

from batchtask.database import database_errors
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from batchtask.tables import batchtask, batchtaskdefinition, event
from batchtask.tables_told import version_of_end
from batchtask.task_state import fold
from projections.attempts import Attempt, attempts_of
from projections.queries import Queries, TaskRow
from projections.rows import State

#: The cause of a task that somebody stopped; all others are those of `Cause`.
STOPPED = "stopped"
#: Measured: 0.2 s, beside 30 000 dead tasks among a million.
MOST_GROUPED = 20_000
CAUSES = (*(cause.value for cause in Cause), STOPPED)


class DeadTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that failed or was stopped."""

    batchtask_id: int
    task_id: UUID
    name: str
    description: str
    owner: int  #: associate id; 0 = system
    ended_at: datetime
    cause: str  #: one of `CAUSES`
    message: str  #: what the user was told
    startcount: int  #: attempts that were begun


class DeadGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead tasks that failed alike."""

    name: str
    cause: str  #: one of `CAUSES`
    message: str
    count: int
    first_ended_at: datetime
    last_ended_at: datetime
    newest: int  #: number of one of them


class TaskReport(msgspec.Struct, frozen=True, kw_only=True):
    """One task with all that is known of how it went."""

    task: TaskRow
    parameters: dict[str, Any]  #: as the last replay left them
    payload_ref: str | None  #: where they lie instead, if they are large
    attempts: list[Attempt]


@dataclass(frozen=True, kw_only=True)
class DeadFilter:
    """Which dead tasks are wanted; None = any."""

    name: str | None = None  #: of the definition
    owner: int | None = None  #: associate id
    since: datetime | None = None  #: ended at this time or later
    until: datetime | None = None  #: ended before this time
    causes: Sequence[str] | None = None  #: of `CAUSES`
    keys: Sequence[UUID | int] | None = None  #: ids or numbers of tasks


_cause = case((event.c.type == "TaskCancelled", STOPPED), else_=event.c.data["cause"].astext)

_end = version_of_end(batchtask.c.task_id)

_DEAD = (
    select(
        batchtask.c.batchtask_id,
        batchtask.c.task_id,
        func.coalesce(batchtaskdefinition.c.name, "").label("name"),
        batchtask.c.description,
        batchtask.c.registered_associate_id.label("owner"),
        batchtask.c.updated.label("ended_at"),
        _cause.label("cause"),
        batchtask.c.response.label("message"),
        batchtask.c.startcount,
    )
    # The end says why; behind it there may be what users wrote.
    .join_from(batchtask, event, and_(event.c.task_id == batchtask.c.task_id, event.c.version == _end))
    .join(batchtaskdefinition, isouter=True)
    .where(batchtask.c.state == State.Failed)
)


class DeadTasks:
    """Answers questions about dead tasks; every method is some short reads. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queries = Queries(engine)

    def tasks(self, wanted: DeadFilter, *, limit: int = 100, before: int | None = None) -> list[DeadTask]:
        """Return dead tasks, newest first; `before` is the last number of the page before."""
        query = _DEAD.where(*_conditions(wanted)).order_by(batchtask.c.batchtask_id.desc()).limit(limit)
        if before is not None:
            query = query.where(batchtask.c.batchtask_id < before)
        with database_errors(), self._engine.connect() as connection:
            return [DeadTask(**row) for row in connection.execute(query).mappings()]

    def count(self, wanted: DeadFilter) -> int:
        """Return how many dead tasks there are."""
        query: Select[Any] = _DEAD.where(*_conditions(wanted))
        with database_errors(), self._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())

    def groups(self, wanted: DeadFilter, *, limit: int = 100) -> list[DeadGroup]:
        """Return dead tasks by definition, cause and message, the largest groups first.

        Only the newest `MOST_GROUPED` are counted: what fails now is among them, and counting all takes seconds.
        """
        newest = _DEAD.where(*_conditions(wanted)).order_by(batchtask.c.batchtask_id.desc()).limit(MOST_GROUPED)
        dead = newest.subquery()
        alike = (dead.c.name, dead.c.cause, dead.c.message)
        query = (
            select(
                *alike,
                func.count().label("count"),
                func.min(dead.c.ended_at).label("first_ended_at"),
                func.max(dead.c.ended_at).label("last_ended_at"),
                func.max(dead.c.batchtask_id).label("newest"),
            )
            .group_by(*alike)
            .order_by(func.count().desc(), func.max(dead.c.batchtask_id).desc())
            .limit(limit)
        )
        with database_errors(), self._engine.connect() as connection:
            return [DeadGroup(**row) for row in connection.execute(query).mappings()]

    def report(self, key: TaskId | int) -> TaskReport:
        """Return every attempt of one task, dead or not, by its id or its number.

        Raises:
            TaskNotFound: No row of it.
        """
        task = self._queries.task(key)
        task_id = TaskId(task.task_id)
        history = self._queries.history(task_id)
        state = fold(history)
        assert state is not None
        return TaskReport(
            task=task,
            parameters=state.submitted.parameters,
            payload_ref=state.submitted.payload_ref,
            attempts=attempts_of(history, self._queries.log(task_id)),
        )


def among(keys: Sequence[UUID | int]) -> ColumnElement[bool]:
    """Tell in SQL whether a row of `crm7.batchtask` is one of those named by id or number."""
    ids = [key for key in keys if isinstance(key, UUID)]
    numbers = [key for key in keys if isinstance(key, int)]
    return or_(batchtask.c.task_id == func.any(ids), batchtask.c.batchtask_id == func.any(numbers))


def _conditions(wanted: DeadFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.name is not None:
        conditions.append(batchtaskdefinition.c.name == wanted.name)
    if wanted.owner is not None:
        conditions.append(batchtask.c.registered_associate_id == wanted.owner)
    if wanted.since is not None:
        conditions.append(batchtask.c.updated >= wanted.since)
    if wanted.until is not None:
        conditions.append(batchtask.c.updated < wanted.until)
    if wanted.causes is not None:
        conditions.append(_cause.in_(wanted.causes))
    if wanted.keys is not None:
        conditions.append(among(wanted.keys))
    return conditions
