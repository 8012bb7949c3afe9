"""Pools of children, and runs in them, for tests of what happens to processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from batchtask.answers import Answer
from batchtask.identifiers import new_task_id
from batchtask.outcomes import Lost
from worker.children.child import Child, Report
from worker.children.frames import Run
from worker.children.pool import ChildPool
from worker.children.process import ChildSettings

SETTINGS = ChildSettings(database_url="", files_dir=Path("/nowhere"), payload_url="")

Ended = Answer | Lost


async def closed(pool: ChildPool) -> None:
    """Close a pool and wait until its processes are gone."""
    children = [child for child, _ in pool._idle]
    await pool.close()
    await until(lambda: not any(runs(child.pid) for child in children))


@asynccontextmanager
async def own_pool(**settings: int) -> AsyncIterator[ChildPool]:
    pool = ChildPool(SETTINGS, **settings)
    await pool.start()
    try:
        yield pool
    finally:
        await closed(pool)


def run_of(name: str, **parameters: Any) -> Run:
    return Run(
        task_id=new_task_id(),
        name=name,
        parameters=parameters,
        payload_ref=None,
        owner=3,
        attempt=1,
        traceparent=None,
    )


async def ended(pool: ChildPool, run: Run, report: Report = lambda _: None) -> Ended:
    child = await pool.acquire()
    try:
        return await child.run(run, report)
    finally:
        pool.release(child)


async def interfered(pool: ChildPool, run: Run, act: Callable[[Child, int], object]) -> Ended:
    """Run a task that leaves a trace, do something to its child once it runs, and return what it ended in."""
    child = await pool.acquire()
    running: Awaitable[Ended] = asyncio.ensure_future(child.run(run, lambda _: None))
    trace = Path(run.parameters["path"])
    try:
        await until(lambda: trace.exists() and trace.read_text())
        act(child, child.pid)
        return await running
    finally:
        pool.release(child)


async def until(holds: Callable[[], object], *, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - in other processes
            await asyncio.sleep(0.005)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
