"""The reconciler's passes in the background of a projections process, every `reconcile_seconds`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
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

logger = logging.getLogger(__name__)


class Upkeep:
    """Makes one pass after another. One event loop; the database work is done in a thread of its own.

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
        self._connection = connection
        self._pass = BackgroundPass(
            engine,
            Reconciler(engine, now),
            heartbeat_seconds=settings.heartbeat_seconds,
            grace_seconds=settings.reconcile_seconds,
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reconciler")
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._runner = asyncio.create_task(self._run(), name="reconciler")

    async def stop(self) -> None:
        """Stop at once; a pass that is cut short loses nothing."""
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            # Not in step with other processes: what one has repaired, the next need not look at.
            await asyncio.sleep(self._pause_seconds * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                await self._pass_once()
            except (StoreUnavailable, SchemaMissing) as error:  # tables are gone while a backup is being restored
                logger.warning("database away", extra={"reason": str(error)})
            except Exception:
                logger.exception("reconciler cannot go on")

    async def _pass_once(self) -> None:
        asked_at = time.monotonic()
        ready = await ready_messages(self._connection, TASKS_QUEUE.name)
        empty_at = asked_at if ready == 0 else None
        repairs = await asyncio.get_running_loop().run_in_executor(self._thread, self._pass.run, empty_at)
        for fault, tasks in Counter(repair.fault for repair in repairs).items():
            first = next(repair.task_id for repair in repairs if repair.fault is fault)
            logger.warning("drift repaired", extra={"fault": fault, "tasks": tasks, "first": first})
