"""Ticks of schedules: each records one task that waits and is due, in the transaction that moves the schedule on.

So a tick makes one task, however many schedulers there are and wherever they die; releasing it is `releases`' work.
Starts never overlap: while the task of the last tick is open, further ticks pass. After an outage all ticks that were
missed make one task.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select

from batchtask import signal_points
from batchtask.database import database_errors
from batchtask.errors import InvalidSchedule
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId, new_task_id
from batchtask.messages import SubmitTask
from batchtask.store import first_event, insert_events
from batchtask.tables import schedule as table
from batchtask.task_state import fold
from projections.cron import Cron
from projections.projector import Projector
from projections.streams import StreamReader

logger = logging.getLogger(__name__)

#: Schedules in one transaction.
PAGE = 100


@dataclass(frozen=True)
class _Tick:
    """What a due schedule comes to."""

    changes: dict[str, Any]  #: of its row
    submitted: RecordedEvent | None = None


class Ticks:
    """Carries out ticks. One thread; as many processes as one likes.

    Args:
        engine: The database.
        projector: Writes the rows of the tasks.
    """

    def __init__(self, engine: Engine, projector: Projector) -> None:
        self._engine = engine
        self._projector = projector
        self._streams = StreamReader()

    def tick_due(self) -> int:
        """Carry out every tick whose time has come by the database's clock; return how many made a task.

        Raises:
            StoreUnavailable: Some may have been carried out; call again.
        """
        made = 0
        while True:
            with database_errors(), self._engine.begin() as connection:
                due = connection.execute(_DUE).all()
                if due:
                    made += self._tick_page(connection, due)
                    signal_points.reached("scheduler.ticked")
            if len(due) < PAGE:
                return made

    def _tick_page(self, connection: Connection, due: Sequence[Row[Any]]) -> int:
        last = [TaskId(row.last_task_id) for row in due if row.last_task_id is not None]
        histories = self._streams.read(connection, last) if last else {}
        ticks = {row.name: _tick(row, histories) for row in due}
        submitted = [tick.submitted for tick in ticks.values() if tick.submitted is not None]
        insert_events(connection, [], ensure=submitted)
        self._projector.write_folded(connection, [[event] for event in submitted])
        for name, tick in ticks.items():
            connection.execute(table.update().where(table.c.name == name).values(tick.changes))
        return len(submitted)


_DUE = (
    select(table, func.now().label("at"))
    .where(table.c.next_at <= func.now(), table.c.paused.is_(False))
    .order_by(table.c.next_at, table.c.name)
    .limit(PAGE)
    .with_for_update(skip_locked=True)
)


def _tick(row: Row[Any], histories: Mapping[TaskId, Sequence[RecordedEvent]]) -> _Tick:
    try:
        next_at = Cron(row.cron, row.time_zone).next_after(row.at)
    except InvalidSchedule as error:
        # Somebody wrote the row by hand, or the time zone was given up.
        logger.error("schedule paused", extra={"schedule": row.name, "reason": str(error)})  # noqa: TRY400
        return _Tick({"paused": True, **_noted(row.at, f"Paused: {error}.")})
    if row.last_task_id is not None and _is_open(histories.get(TaskId(row.last_task_id))):
        logger.info("tick skipped", extra={"schedule": row.name, "tick": row.next_at, "open_task": row.last_task_id})
        return _Tick({"next_at": next_at, **_noted(row.next_at, "Skipped: the task before has not ended.")})
    command = _command(row)
    logger.info("tick", extra={"schedule": row.name, "tick": row.next_at, "task": command.task_id})
    changes = {"next_at": next_at, "last_at": row.next_at, "last_task_id": command.task_id, **_noted(None, "")}
    return _Tick(changes, first_event(command))


def _is_open(history: Sequence[RecordedEvent] | None) -> bool:
    """A task that cannot be read, or whose events are gone, is not known to have ended; gone for good it has."""
    if history is None:
        return True
    state = fold(history)
    return state is not None and not state.phase.finished


def _command(row: Row[Any]) -> SubmitTask:
    return SubmitTask(
        task_id=new_task_id(),
        name=row.task,
        submitted_at=row.at,
        parameters=row.parameters,
        payload_ref=row.payload_ref,
        owner=row.owner,
        description=row.description,
        database_tag=row.database_tag,
        cancellation=row.cancellation,
        start_at=row.next_at,
        schedule=row.name,
    )


def _noted(at: datetime | None, note: str) -> dict[str, Any]:
    return {"noted_at": at, "note": note}
