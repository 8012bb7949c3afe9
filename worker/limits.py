"""The limits of what runs: told that time is short, killed when time or memory is up. The smaller limit counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from batchtask.definitions import OnSoftLimit
from worker.children.memory import tree_holds_more
from worker.deps import Deps
from worker.modes import memory_limit
from worker.running import Running, Stop


def set_timers(running: Running, deps: Deps) -> list[asyncio.TimerHandle]:
    """Plan what happens at the soft and at the hard limit of a task that begins now."""
    loop, definition = asyncio.get_running_loop(), deps.registry[running.run.name]
    timers: list[asyncio.TimerHandle] = []
    if running.lease.limit_seconds is not None:
        timers.append(loop.call_later(running.lease.limit_seconds, running.stop, Stop.TIME_LIMIT))
    if definition.soft_timeout_seconds:
        interrupt = definition.on_soft_limit is OnSoftLimit.RAISE
        timers.append(loop.call_later(definition.soft_timeout_seconds, running.tell_time_is_short, interrupt))
    return timers


def memory_limit_of(running: Running, deps: Deps) -> int | None:
    """What a running task and all it started may take, in MB; None = as much as there is."""
    return memory_limit(deps.registry[running.run.name].memory_limit_mb, deps.settings.memory_limit_mb)


async def stop_greedy(deps: Deps) -> None:
    """Look once at the memory of all tasks that have a limit, and kill those that take more."""
    limited = [
        (running, running.child.pid, limit)
        for running in deps.running.values()
        if running.child is not None and (limit := memory_limit_of(running, deps)) is not None
    ]
    if not limited:
        return
    greedy = await asyncio.to_thread(_greedy, [(pid, limit) for _, pid, limit in limited])
    for running, pid, _ in limited:
        if pid in greedy and running.child is not None and running.child.pid == pid:
            running.stop(Stop.MEMORY_LIMIT)


def _greedy(limits: Sequence[tuple[int, int]]) -> set[int]:
    return {pid for pid, limit_mb in limits if tree_holds_more(pid, limit_mb)}
