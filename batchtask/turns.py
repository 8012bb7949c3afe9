"""Whose turn it is: runs of some definitions never overlap and keep a distance in time, across all workers.

One row for each definition says whose run was the last, and which task is next. Whether that run goes on, and that
task still waits, their streams say; so a turn cannot be held by a process that is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.events import AttemptStarted, RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.store import select_events
from batchtask.tables import turn as table
from batchtask.task_state import Phase, TaskState, evolve, fold


@dataclass(frozen=True)
class Distance:
    """What has to lie between two runs of one definition."""

    start_to_start_seconds: float
    end_to_start_seconds: float

    @property
    def is_kept(self) -> bool:
        """False when runs may overlap."""
        return self.start_to_start_seconds > 0 or self.end_to_start_seconds > 0


@dataclass(frozen=True)
class Standing:
    """Who has the turn, as the caller's transaction sees it."""

    running: TaskId | None = None  #: its run goes on
    started_at: datetime | None = None  #: of the last run, whether it goes on or not
    ended_at: datetime | None = None
    next: TaskId | None = None  #: it was told to run next, and waits in the queue

    def free_at(self, distance: Distance) -> datetime | None:
        """When the run after the last one may begin; None for at once. Means nothing while that goes on."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(
            self.started_at + timedelta(seconds=distance.start_to_start_seconds),
            self.ended_at + timedelta(seconds=distance.end_to_start_seconds),
        )


def lock(connection: Connection, name: str) -> None:
    """Hold all others off the turns of a definition until the transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(_key(name))))


def try_lock(connection: Connection, name: str) -> bool:
    """As `lock`, but False at once when another has it."""
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(_key(name)))).scalar())


def look(connection: Connection, name: str, at: datetime) -> Standing:
    """Say who has the turn. Call it under the lock."""
    row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    if row is None:
        return Standing()
    task_ids = [TaskId(task_id) for task_id in (row.task_id, row.next_task_id) if task_id is not None]
    histories = select_events(connection, dict.fromkeys(task_ids, -1))
    following = row.next_task_id if row.next_task_id and _is_next(histories[row.next_task_id], at) else None
    started = _place(histories[row.task_id], row.fence) if row.task_id else None
    if started is None:
        return Standing(next=following)  # nobody ran yet, or the database was set back
    history = histories[row.task_id]
    ended_at = _ended_at(history, started)
    return Standing(
        running=TaskId(row.task_id) if ended_at is None else None,
        started_at=history[started].occurred_at,
        ended_at=ended_at,
        next=following,
    )


def take(connection: Connection, name: str, task_id: TaskId, fence: int) -> None:
    """Note that a run begins."""
    _write(connection, name, {"task_id": task_id, "fence": fence, "next_task_id": None})


def promise(connection: Connection, name: str, task_id: TaskId) -> None:
    """Note which task runs next."""
    _write(connection, name, {"next_task_id": task_id})


def _write(connection: Connection, name: str, values: dict[str, object]) -> None:
    statement = insert(table).values(name=name, **values)
    connection.execute(statement.on_conflict_do_update(constraint="turn_pkey", set_=values))


def _key(name: str) -> object:
    return func.hashtextextended(f"batchtask.turn {name}", 0)


def _is_next(history: Sequence[RecordedEvent], at: datetime) -> bool:
    """Whether a task that was told to be next still is: queued, or about to be."""
    state = fold(history)
    if state is None:
        return False
    return state.phase is Phase.QUEUED or (
        state.phase is Phase.WAITING and state.due_at is not None and state.due_at <= at
    )


def _place(history: Sequence[RecordedEvent], fence: int) -> int | None:
    """The index at which the run under a fence begins."""
    for index, event in enumerate(history):
        if isinstance(event.body, AttemptStarted) and event.body.fence == fence:
            return index
    return None


def _ended_at(history: Sequence[RecordedEvent], started: int) -> datetime | None:
    state: TaskState | None = None
    for index, event in enumerate(history):
        state = evolve(state, event.body, event.version)
        if index > started and state.phase is not Phase.RUNNING:
            return event.occurred_at
    return None
