"""The scheduler: what waits for a time of the clock goes on when that has come. Part of every projections process.

Any number of them may run: what one has in hand, the others pass by. The database's clock alone says what is due.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.sql import func

from batchtask.connecting import Closed
from batchtask.database import database_errors
from batchtask.errors import SchemaMissing, StoreUnavailable
from batchtask.events import (
    AttemptSnoozed,
    PassCompleted,
    RecordedEvent,
    RetryScheduled,
    TaskDeferred,
    TaskReplayed,
    TaskSubmitted,
)
from batchtask.publishing import Publishes
from batchtask.tables import batchtask, schedule
from projections.grants import Grants
from projections.projector import Projector
from projections.releases import Releases
from projections.rows import State
from projections.ticks import Ticks
from projections.watch import Watch

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Longest pause between two looks; what another process has written meanwhile may be late by this.
LOOK_SECONDS = 0.5
#: Shortest one, so that a flood of news causes no flood of looks.
SHORTEST_PAUSE_SECONDS = 0.02
#: How long locked rows wait for the broker's confirms, at most: a projector may wait for them.
PUBLISH_SECONDS = 5.0
_WAITS = (AttemptSnoozed, PassCompleted, RetryScheduled, TaskDeferred, TaskReplayed)


class Scheduler(Watch):
    """Looks for what is due, again and again. One event loop; the database work is done in a thread.

    Args:
        engine: The database.
        publisher: The way to the broker, started by the caller.
    """

    def __init__(self, engine: Engine, publisher: Publishes) -> None:
        self._engine = engine
        super().__init__("scheduler", publisher, PUBLISH_SECONDS)
        projector = Projector(engine)
        self._ticks = Ticks(engine, projector)
        self._grants = Grants(engine)
        self._releases = Releases(engine, projector, self._publish)
        self._woken = asyncio.Event()
        self._database_away = False

    def look_soon(self) -> None:
        """Look for what is due, because a task that waits was projected."""
        self._woken.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(Closed):
                await self._publisher.wait_usable()  # before anything is locked
            self._woken.clear()
            async with self._looking:
                pause = await self._look()
            await asyncio.sleep(SHORTEST_PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def _look(self) -> float:
        """Do what is due and return how long to wait before the next look."""
        try:
            pause = await self._in_thread(self._do_what_is_due)
        except (StoreUnavailable, SchemaMissing) as error:  # tables are gone while a backup is being restored
            if not self._database_away:
                logger.warning("scheduler waits for the database", extra={"reason": str(error)})
            self._database_away = True
        except Exception:
            logger.exception("scheduler cannot go on with what is due")
        else:
            if self._database_away:
                logger.info("scheduler has the database again")
            self._database_away = False
            return pause
        return LOOK_SECONDS

    def _do_what_is_due(self) -> float:
        """In the thread. One short statement while nothing is due."""
        seconds = self._seconds_to_next()
        if seconds > 0:
            return min(seconds, LOOK_SECONDS)
        self._ticks.tick_due()
        released = self._releases.release_due(self._grants.grant_due())
        if released.unconfirmed:
            logger.warning("releases not confirmed", extra={"tasks": released.unconfirmed})
        if released.tasks:
            logger.debug("released", extra={"tasks": released.tasks})
        return 0 if released.tasks and not released.unconfirmed else LOOK_SECONDS

    def _seconds_to_next(self) -> float:
        """By the database's clock; what it is too long to wait for is looked for again anyway."""
        with database_errors(), self._engine.connect() as connection:
            seconds = connection.execute(_SECONDS_TO_NEXT).scalar()
        return LOOK_SECONDS if seconds is None else float(seconds)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


_NEXT_TASK = select(func.min(batchtask.c.due_at)).where(
    batchtask.c.due_at.is_not(None), batchtask.c.state == State.New
)
_NEXT_TICK = select(func.min(schedule.c.next_at)).where(schedule.c.paused.is_(False))
_NEXT = func.least(_NEXT_TASK.scalar_subquery(), _NEXT_TICK.scalar_subquery())
_SECONDS_TO_NEXT = select(func.extract("epoch", _NEXT - func.clock_timestamp()))


def waits(event: RecordedEvent) -> bool:
    """Whether a task begins to wait with an event."""
    if isinstance(event.body, TaskSubmitted):
        return event.body.start_at is not None
    return isinstance(event.body, _WAITS)
