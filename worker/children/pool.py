"""The warm children of a worker: one task at a time in each, started on demand, replaced when dead or worn."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections import deque
from multiprocessing.context import ForkServerContext

from worker.children.child import Child
from worker.children.memory import holds_more
from worker.children.process import ChildSettings

logger = logging.getLogger(__name__)

#: Another process is started when a task waits and no child became free for this long. While children come free all
#: the time more of them would only compete for the cores: no-op tasks need a fraction of a millisecond, a start ten.
PATIENCE_SECONDS = 0.02
#: A child that had nothing to do for this long goes, down to the warm ones.
IDLE_SECONDS = 60.0
#: After a task a child's memory is looked at, but no more often: a look costs as much as half a no-op task.
LOOK_SECONDS = 1.0
#: Pause before a child that could not start is tried again.
START_PAUSE_SECONDS = 1.0


class ChildPool:
    """Keeps `warm` children ready and starts more, up to `largest`, while tasks wait.

    Args:
        settings: For the children.
        warm: Children that are kept although nothing runs.
        largest: Most children at a time.
        child_tasks: A child is replaced after so many; 0 = never.
        child_memory_mb: A child that holds more than this after a task is replaced; 0 = never.
    """

    def __init__(
        self, settings: ChildSettings, *, warm: int, largest: int, child_tasks: int = 0, child_memory_mb: int = 0
    ) -> None:
        self._settings = settings
        self._child_tasks = child_tasks
        self._child_memory_mb = child_memory_mb
        self._warm = min(warm, largest)
        self._largest = largest
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["worker.children.process", "worker.children.preload"])
        self._idle: deque[tuple[Child, float]] = deque()
        self._count = 0
        self._waiting: deque[asyncio.Future[Child]] = deque()
        self._released_at = 0.0
        self._growth: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Start the warm children."""
        await self._warm_up()

    @property
    def size(self) -> int:
        return self._count

    async def acquire(self, memory_limit_mb: int | None = None) -> Child:
        """Return a child that runs nothing; waits, or starts one.

        Args:
            memory_limit_mb: Of the task to be run: no half of it may have been taken by the tasks before.
        """
        while True:
            child = await self._next()
            if memory_limit_mb is None or not child.tasks or not holds_more(child.pid, memory_limit_mb // 2):
                return child
            self._let_go(child)

    async def _next(self) -> Child:
        while self._idle:
            child, _ = self._idle.pop()  # the one used last: its memory is warm, the others may retire
            if child.alive:
                return child
            self._count -= 1
        waiting: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        if self._growth is None:
            self._growth = asyncio.create_task(self._grow())
        return await waiting

    def release(self, child: Child) -> None:
        """Give a child back; one that died or is worn out is replaced."""
        self._released_at = asyncio.get_running_loop().time()
        if not child.alive:
            self._count -= 1
            self._keep_warm()
            return
        if self._closed or self._worn(child):
            self._let_go(child)
            return
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(child)
                return
        self._idle.append((child, asyncio.get_running_loop().time()))

    def tidy(self) -> None:
        """Let children go that nobody needed for a while, and replace those that died meanwhile."""
        for child, since in [one for one in self._idle if not one[0].alive]:
            self._idle.remove((child, since))
            self._count -= 1
        before = asyncio.get_running_loop().time() - IDLE_SECONDS
        while self._count > self._warm and self._idle and self._idle[0][1] < before:
            self._let_go(self._idle.popleft()[0])
        self._keep_warm()

    async def close(self) -> None:
        """Let all idle children end, and those that are given back."""
        self._closed = True
        starting = [one for one in (self._growth, self._warming) if one is not None]
        for one in starting:
            one.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        while self._idle:
            self._let_go(self._idle.popleft()[0])
        await asyncio.sleep(0)  # in the next turn of the loop the transports close their sockets

    def _worn(self, child: Child) -> bool:
        if child.worn or 0 < self._child_tasks <= child.tasks:
            return True
        now = asyncio.get_running_loop().time()
        if not self._child_memory_mb or now - child.looked_at < LOOK_SECONDS:
            return False
        child.looked_at = now
        return holds_more(child.pid, self._child_memory_mb)

    def _let_go(self, child: Child) -> None:
        self._count -= 1
        child.close()
        self._keep_warm()

    def _keep_warm(self) -> None:
        if self._count < self._warm and self._warming is None and not self._closed:
            self._warming = asyncio.create_task(self._warm_up())

    async def _warm_up(self) -> None:
        try:
            missing = self._warm - self._count
            await asyncio.gather(*(self._start_child() for _ in range(missing)))
        finally:
            self._warming = None

    async def _grow(self) -> None:
        """While tasks wait and nothing comes free, start a child for each of them."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(PATIENCE_SECONDS)
                wanted = min(len(self._waiting), self._largest - self._count)
                if wanted > 0 and loop.time() - self._released_at >= PATIENCE_SECONDS:
                    await asyncio.gather(*(self._start_child() for _ in range(wanted)))
        finally:
            self._growth = None

    async def _start_child(self) -> None:
        """Start a child, however long it takes: that a machine is out of processes is no fault of the task."""
        self._count += 1
        try:
            while True:
                try:
                    child = await Child.start(self._context, self._settings)
                    break
                except (OSError, EOFError) as error:  # EOFError: the fork server died; the next try starts another
                    logger.warning("child cannot start", extra={"reason": str(error)})
                    await asyncio.sleep(START_PAUSE_SECONDS)
        except BaseException:
            self._count -= 1
            raise
        self.release(child)
