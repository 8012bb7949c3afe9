"""A worker on a machine that gets busy and free again, as its `/proc/stat` says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from multiprocessing import forkserver
from pathlib import Path

import pytest

from batchtask.definitions import Registry
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from tests.children import until
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import System
from worker.load import ProcessorLoad
from worker.service import Worker


class Machine:
    """Writes its load into a file, like the kernel."""

    def __init__(self, stat: Path) -> None:
        self.stat = stat
        self.busy = False
        self._counts = {True: 0, False: 0}

    async def run(self) -> None:
        while True:
            self._counts[self.busy] += 10
            fresh = self.stat.with_suffix(".new")
            fresh.write_text(f"cpu  {self._counts[True]} 0 0 {self._counts[False]} 0 0 0 0\n")
            fresh.rename(self.stat)
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def fork_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fork server that finds the test tasks, and ends with the test."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@asynccontextmanager
async def running(worker: Worker, machine: Machine) -> AsyncIterator[None]:
    turning = asyncio.create_task(machine.run())
    await until(machine.stat.exists)
    await worker.start()
    try:
        yield
    finally:
        await worker.drain()
        await worker.stop()
        turning.cancel()


def test_a_worker_takes_nothing_while_the_machine_is_busy_and_all_of_it_afterwards(
    system: System, database_url: str, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "stat")
    settings = Settings(
        amqp_url=system.amqp_url, database_url=database_url, max_tasks=2, task_timeout=600, drain_seconds=5
    )
    worker = Worker(settings, Registry.installed(), ProcessorLoad(50, stat=machine.stat))
    system.projections()

    async def busy_and_free() -> list[TaskId]:
        async with running(worker, machine):
            first = system.submit_many_traced("append", 200, seconds=0.002)  # of which it takes many at a time
            machine.busy = True
            await until(lambda: worker._deps.overloaded and worker._deps.consumer.prefetch == 0)
            await until(lambda: not worker._deps.holding)
            begun = started(system)
            second = system.submit_many_traced("append", 20)
            await until(lambda: len(system.states()) == 220)
            assert started(system) == begun
            machine.busy = False
            ids = [*first, *second]
            await until(lambda: started(system) == len(ids))
            return ids

    ids = asyncio.run(busy_and_free())

    system.wait_all_finished(ids, seconds=30)
    assert_all_succeeded(system, ids)
    assert_each_ran_once(system, ids)


def started(system: System) -> int:
    return sum(path.suffix == "" and len(path.name) == 36 for path in system.directory.iterdir())
