"""Two attempts at one task in one worker: the newer one counts, in whichever order they begin."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from batchtask.errors import LeaseLost
from tests.desks import command
from worker.attempt import take_place
from worker.children.frames import Run
from worker.lease import Lease
from worker.records import RecordRequest
from worker.running import Running, Stop

WANTED = command()


def running(fence: int) -> Running:
    lease = Lease(command=WANTED, attempt=fence, fence=fence, version=fence, news=[], limit_seconds=None)
    run = Run(
        task_id=WANTED.task_id, name=WANTED.name, parameters={}, payload_ref=None, owner=0, attempt=fence, fence=fence
    )
    return Running(lease, run)


async def record(request: RecordRequest) -> None:
    """As the store answers whoever has an old fence."""
    assert request.lease.fence == 1, "only the older attempt has anything to find out"
    raise LeaseLost(str(WANTED.task_id), request.lease.fence)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_two_attempts_at_one_task_the_older_stops_and_the_newer_goes_on_beating(order: tuple[int, int]) -> None:
    async def meet() -> tuple[Any, dict[int, Running]]:
        deps: Any = SimpleNamespace(running={}, record=record)
        attempts = {fence: running(fence) for fence in order}
        for fence in order:
            take_place(attempts[fence], deps)
        await asyncio.gather(*attempts[1].reports, *attempts[2].reports)
        return deps, attempts

    deps, attempts = asyncio.run(meet())

    assert deps.running == {WANTED.id: attempts[2]}
    assert (attempts[1].stopped, attempts[2].stopped) == (Stop.LEASE_LOST, None)
