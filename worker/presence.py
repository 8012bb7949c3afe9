"""Saying that this worker is there, and hearing whether it shall pause: one small statement every few seconds.

Nothing waits for it. While the database is away the last word counts, on both sides: the worker goes on or pauses as
it was told, and whoever looks at its row sees for how long it was not heard of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from sqlalchemy import Engine, text

from batchtask.database import database_errors
from batchtask.errors import SchemaMissing, StoreUnavailable
from batchtask.pausing import EVERYBODY
from worker.deps import Deps

logger = logging.getLogger(__name__)

#: Longest pause between two signs of life; a worker hears of a pause no later.
SAY_SECONDS = 5.0
#: A worker that ends does not wait longer than this for its row to vanish.
LEAVE_SECONDS = 2.0

_SAY = text("""
    WITH said AS (
        INSERT INTO batchtask.worker (id, host, pid, version, slots, running, draining)
        VALUES (:id, :host, :pid, :version, :slots, :running, :draining)
        ON CONFLICT (id) DO UPDATE
        SET running = excluded.running, draining = excluded.draining, seen_at = excluded.seen_at
    )
    SELECT paused_by, reason FROM batchtask.pause WHERE scope IN (:everybody, :id) ORDER BY scope LIMIT 1
""")
#: A pause of this worker alone means nothing when it is gone.
_LEAVE = text("""
    WITH gone AS (DELETE FROM batchtask.worker WHERE id = :id)
    DELETE FROM batchtask.pause WHERE scope = :id
""")


class Presence:
    """Keeps this worker's row, and `deps.paused`. One event loop; the statements run in a thread of their own.

    Args:
        engine: The database.
        name: Of the worker, `host/pid/boot`, as it stands in the streams.
        deps: What the worker does at the moment.
    """

    def __init__(self, engine: Engine, name: str, deps: Deps) -> None:
        self._engine = engine
        self._deps = deps
        host, pid, _ = name.rsplit("/", 2)
        slots = deps.settings.max_tasks
        self._who = {"id": name, "host": host, "pid": int(pid), "version": version("batchtask"), "slots": slots}
        # Never one of those that claims and outcomes wait for.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="presence")
        self._soon = asyncio.Event()

    async def begin(self) -> None:
        """Say it for the first time: whoever starts during a pause pauses from the beginning.

        Raises:
            StoreUnavailable, SchemaMissing: Nobody knows of us.
        """
        await self._say()

    async def keep(self) -> None:
        """Say it again and again."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAY_SECONDS * random.uniform(0.8, 1.0)):  # noqa: S311 - not all at once
                    await self._soon.wait()
            self._soon.clear()
            try:
                await self._say()
            except (StoreUnavailable, SchemaMissing) as error:
                logger.debug("nobody hears of this worker", extra={"reason": str(error)})
            except Exception:
                logger.exception("worker cannot say that it is there")

    def say_soon(self) -> None:
        """Say it now instead of in some seconds, because something changed."""
        self._soon.set()

    async def leave(self) -> None:
        """Take the row away, if that goes quickly; otherwise others see that it is out of date, and forget it."""
        with contextlib.suppress(StoreUnavailable, SchemaMissing, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._take_away)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _say(self) -> None:
        now: dict[str, object] = {"running": len(self._deps.running), "draining": self._deps.draining}
        told = await asyncio.get_running_loop().run_in_executor(self._thread, self._write, now)
        self._note(told)

    def _write(self, now: dict[str, object]) -> tuple[str, str] | None:
        with database_errors(), self._engine.begin() as connection:
            found = connection.execute(_SAY, {**self._who, **now, "everybody": EVERYBODY}).one_or_none()
        return None if found is None else (found.paused_by, found.reason)

    def _note(self, told: tuple[str, str] | None) -> None:
        """Whatever keeps the prefetch right sees `paused` a moment later, and gives back what has not begun."""
        if told is not None and not self._deps.paused:
            logger.info("worker paused", extra={"by": told[0], "reason": told[1]})
        if told is None and self._deps.paused:
            logger.info("worker goes on")
        self._deps.paused = told is not None

    def _take_away(self) -> None:
        with database_errors(), self._engine.begin() as connection:
            connection.execute(_LEAVE, self._who)
