"""Releasing tasks whose wait is over: the command is published again, then the stream says so. Synchronous.

Rows tell what is due, streams decide. A row stays locked until its task is released, and other schedulers pass by
locked rows, so any number of them share the work. Order is the design: published, confirmed, then appended. A crash
in between publishes the command once more, and the claim takes a waiting task only from the first copy that comes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select, tuple_
from sqlalchemy.sql import func

from batchtask import envelope, signal_points
from batchtask.database import database_errors
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.intentions import Release
from batchtask.publishing import Message
from batchtask.store import Append, insert_events, select_events
from batchtask.tables import batchtask, turn
from batchtask.task import decide
from batchtask.task_state import Phase, TaskState, fold, resubmission
from batchtask.topology import COMMANDS, RELEASE_KEY
from projections.projector import Projector
from projections.rows import State
from projections.streams import StreamReader

#: Tasks in one transaction: their rows are locked while the broker confirms.
PAGE = 500
SOURCE = "/batchtask/scheduler"

#: Publishes messages and returns the indexes of those that were not confirmed in time.
Publish = Callable[[Sequence[Message]], Collection[int]]


@dataclass(frozen=True)
class Released:
    """What became of everything that was due."""

    tasks: int = 0  #: published, and recorded as released
    unconfirmed: int = 0  #: not taken by the broker; they stay due


@dataclass(frozen=True)
class _Waiting:
    """A task whose stream says that its wait is over."""

    state: TaskState
    history: list[RecordedEvent]


class Releases:
    """Releases what is due. One thread; as many processes as one likes.

    Args:
        engine: The database.
        projector: Writes the rows of what was released.
        publish: The way to the broker.
    """

    def __init__(self, engine: Engine, projector: Projector, publish: Publish) -> None:
        self._engine = engine
        self._projector = projector
        self._publish = publish
        self._streams = StreamReader()

    def release_due(self, exclusive: Sequence[int] = ()) -> Released:
        """Release every task whose time has come by the database's clock.

        Args:
            exclusive: Ids of the definitions of which only tasks that are next are released.

        Raises:
            StoreUnavailable: Some may have been released; call again.
        """
        total = Released()
        place: tuple[datetime, UUID] | None = None
        while True:
            with database_errors(), self._engine.begin() as connection:
                rows = _take(connection, exclusive, place)
                released = self._release(connection, rows) if rows else Released()
            signal_points.reached("scheduler.committed")
            total = Released(total.tasks + released.tasks, total.unconfirmed + released.unconfirmed)
            if len(rows) < PAGE or released.unconfirmed:
                return total
            # What could not be released must not stand in the way of the rest.
            place = (rows[-1].due_at, rows[-1].task_id)

    def _release(self, connection: Connection, rows: Sequence[Row[tuple[UUID, datetime, datetime]]]) -> Released:
        at = rows[0].at
        histories = self._streams.read(connection, [TaskId(row.task_id) for row in rows])
        waiting = {task_id: one for task_id, history in histories.items() if (one := _waiting(history, at))}
        signal_points.reached("scheduler.taken")
        unconfirmed = self._publish_commands(waiting, at)
        signal_points.reached("scheduler.published")
        confirmed = {task_id: one for task_id, one in waiting.items() if task_id not in unconfirmed}
        tasks = self._append(connection, confirmed, histories, at)
        self._projector.write_folded(connection, histories.values())
        signal_points.reached("scheduler.written")
        return Released(tasks, len(unconfirmed))

    def _publish_commands(self, waiting: Mapping[TaskId, _Waiting], at: datetime) -> set[TaskId]:
        """Publish, and return those that were not confirmed."""
        if not waiting:
            return set()
        task_ids = list(waiting)
        failed = self._publish([_message(task_id, waiting[task_id].state, at) for task_id in task_ids])
        return {task_ids[index] for index in failed}

    def _append(
        self,
        connection: Connection,
        confirmed: Mapping[TaskId, _Waiting],
        histories: dict[TaskId, list[RecordedEvent]],
        at: datetime,
    ) -> int:
        """Record the releases; where a worker was faster than this, what it wrote is read instead."""
        appends = [
            Append(task_id, one.state.version, decide(one.state, Release(version=one.state.version)), at)
            for task_id, one in confirmed.items()
        ]
        written = insert_events(connection, appends) if appends else set()
        overtaken: dict[TaskId, int] = {}
        for append in appends:
            if (append.task_id, append.expected_version + 1) in written:
                histories[append.task_id] += append.recorded()
            else:
                overtaken[append.task_id] = append.expected_version
        for task_id, events in select_events(connection, overtaken).items():
            histories[task_id] += events
        return len(appends)


def _take(
    connection: Connection, exclusive: Sequence[int], after: tuple[datetime, UUID] | None
) -> Sequence[Row[tuple[UUID, datetime, datetime]]]:
    """Lock the next page of due rows that nobody else works on."""
    query = (
        select(batchtask.c.task_id, batchtask.c.due_at, func.now().label("at"))
        .where(batchtask.c.due_at <= func.now(), batchtask.c.state == State.New)
        .order_by(batchtask.c.due_at, batchtask.c.task_id)
        .limit(PAGE)
        .with_for_update(skip_locked=True)
    )
    if exclusive:
        free = func.coalesce(batchtask.c.batchtaskdefinition_id, 0).not_in(exclusive)
        query = query.where(free | batchtask.c.task_id.in_(select(turn.c.next_task_id)))
    if after is not None:
        query = query.where(tuple_(batchtask.c.due_at, batchtask.c.task_id) > after)
    return connection.execute(query).all()


def _waiting(history: Sequence[RecordedEvent], at: datetime) -> _Waiting | None:
    """The task, if its wait is over; None when the row is behind its stream, or has none."""
    state = fold(history)
    if state is None or state.phase is not Phase.WAITING or state.due_at is None or state.due_at > at:
        return None
    return _Waiting(state, list(history))


def _message(task_id: TaskId, state: TaskState, at: datetime) -> Message:
    command = resubmission(task_id, state, at)
    return Message(
        exchange=COMMANDS.name,
        routing_key=RELEASE_KEY,
        body=envelope.encode_command(command, source=SOURCE, release=state.version),
        message_id=str(task_id),
        type="SubmitTask",
        content_type=envelope.CONTENT_TYPE,
    )
