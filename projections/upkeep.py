"""What a projections process does in the background: the reconciler's passes, sums for charts, forgotten workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sqlalchemy import Engine

from batchtask.broker.connection import Connection
from batchtask.broker.depth import ready_messages
from batchtask.errors import SchemaMissing, StoreUnavailable
from batchtask.settings import Settings
from batchtask.topology import TASKS_QUEUE
from projections.passes import BackgroundPass
from projections.reconcile import Reconciler
from projections.roll_up import PAUSE_SECONDS, RollUp
from projections.workers import forget_gone

logger = logging.getLogger(__name__)


class Upkeep:
    """Makes one pass after another. One event loop; the database work is done in threads of its own.

    Args:
        settings: Uses `reconcile_seconds` and `heartbeat_seconds`.
        engine: The database.
        connection: To the broker, which is asked what is queued.
        now: The clock.
    """

    def __init__(
        self, settings: Settings, engine: Engine, connection: Connection, now: Callable[[], datetime]
    ) -> None:
        self._pause_seconds = settings.reconcile_seconds
        self._engine = engine
        self._connection = connection
        self._pass = BackgroundPass(
            engine,
            Reconciler(engine, now),
            heartbeat_seconds=settings.heartbeat_seconds,
            grace_seconds=settings.reconcile_seconds,
        )
        self._roll_up = RollUp(engine)
        # Sums may take seconds: repairs do not wait for them.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reconciler")
        self._books_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="statistics")
        self._runners: list[asyncio.Task[None]] = []

    def start(self) -> None:
        passes = self._repeat(self._pass_once, self._pause_seconds)
        sums = self._repeat(self._sum_up, PAUSE_SECONDS)
        self._runners = [asyncio.create_task(passes, name="reconciler"), asyncio.create_task(sums, name="statistics")]

    async def stop(self) -> None:
        """Stop at once; a pass that is cut short loses nothing."""
        for runner in self._runners:
            runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await runner
        for thread in (self._thread, self._books_thread):
            thread.shutdown(wait=False, cancel_futures=True)

    async def _repeat(self, once: Callable[[], Awaitable[float]], pause_seconds: float) -> None:
        """Do something again and again; it returns how many seconds to wait."""
        while True:
            # Not in step with other processes: what one has repaired, the next need not look at.
            await asyncio.sleep(pause_seconds * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                pause_seconds = await once()
            except (StoreUnavailable, SchemaMissing) as error:  # tables are gone while a backup is being restored
                logger.warning("database away", extra={"reason": str(error)})
            except Exception:
                logger.exception("upkeep cannot go on")

    async def _sum_up(self) -> float:
        return await asyncio.get_running_loop().run_in_executor(self._books_thread, self._keep_books)

    def _keep_books(self) -> float:
        forget_gone(self._engine)
        return self._roll_up.run()

    async def _pass_once(self) -> float:
        asked_at = time.monotonic()
        ready = await ready_messages(self._connection, TASKS_QUEUE.name)
        empty_at = asked_at if ready == 0 else None
        repairs = await asyncio.get_running_loop().run_in_executor(self._thread, self._pass.run, empty_at)
        for fault, tasks in Counter(repair.fault for repair in repairs).items():
            first = next(repair.task_id for repair in repairs if repair.fault is fault)
            logger.warning("drift repaired", extra={"fault": fault, "tasks": tasks, "first": first})
        return self._pause_seconds
