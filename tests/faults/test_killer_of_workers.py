"""A task that kills its worker again and again is set aside; the tasks beside it are not taken for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batchtask.events import AttemptLost, TaskFailed
from batchtask.identifiers import TaskId, new_task_id
from batchtask.outcomes import Cause
from projections.rows import State
from tests.outcome import assert_all_succeeded
from tests.system import Part, System

NEIGHBOURS = 4
QUICK = {"heartbeat_seconds": 0.5, "reconcile_seconds": 0.5}
MODES: dict[str, dict[str, object]] = {
    "held": {"task_timeout": 600},
    "leased": {"lease_seconds": 3},
}


class Supervisor:
    """Starts a worker again whenever it is looked at and has died."""

    def __init__(self, start: Callable[[], Part]) -> None:
        self._start = start
        self._worker = start()
        self.deaths = 0

    def look(self) -> None:
        if self._worker.process.poll() is not None:
            self.deaths += 1
            self._worker = self._start()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["held", pytest.param("leased", marks=pytest.mark.slow)])
def test_a_task_that_kills_its_worker_is_set_aside_and_its_neighbours_succeed(mode: str, system: System) -> None:
    system.projections(**QUICK)
    supervisor = Supervisor(lambda: system.worker(max_tasks=NEIGHBOURS + 1, **QUICK, **MODES[mode]))
    neighbours = [new_task_id() for _ in range(NEIGHBOURS)]
    killer = system.submit_traced("kill-worker", company=[str(system.trace(task_id)) for task_id in neighbours])
    for task_id in neighbours:
        system.producer.submit("company", {"path": str(system.trace(task_id)), "seconds": 1}, task_id=task_id)

    def all_ended() -> bool:
        supervisor.look()
        states = system.states()
        return all(states.get(task_id) in {State.Succeeded, State.Failed} for task_id in [killer, *neighbours])

    system.wait(all_ended, seconds=120)  # leased: a dead worker is noticed by its silence

    assert supervisor.deaths == 3
    last = system.history(killer)[-1]
    assert isinstance(last, TaskFailed)
    assert last.cause is Cause.LOST_WORKER
    assert_all_succeeded(system, neighbours)
    # They ran beside it twice. The third time each was alone, and those that waited for that lost nothing.
    assert [losses(system, task_id) for task_id in [killer, *neighbours]] == [3] + [2] * NEIGHBOURS


def losses(system: System, task_id: TaskId) -> int:
    return sum(isinstance(event, AttemptLost) for event in system.history(task_id))
