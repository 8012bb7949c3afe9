"""A task that kills its worker again and again is set aside; the tasks beside it are not taken for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batchtask.events import AttemptLost, AttemptStarted, TaskCancelled, TaskFailed
from batchtask.identifiers import TaskId, new_task_id
from batchtask.intentions import Expire
from batchtask.outcomes import Cause
from projections.rows import State
from tests.desks import BEGAN, Desks, command, release, somebody_decides
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


def test_a_last_chance_waits_for_those_that_run_and_others_wait_for_it(system: System) -> None:
    worker, neighbour, accused = one_beside_a_neighbour(system)
    others = system.submit_many_traced("append", 10)
    system.wait(lambda: len(system.states()) == 12)
    assert [system.attempts(task_id) for task_id in others] == [[]] * len(others)
    assert len(system.attempts(accused)) == 2

    system.open_gates(neighbour)

    system.wait_all_finished([neighbour, accused, *others], seconds=30)
    assert_all_succeeded(system, [neighbour, accused, *others])
    *_, began, ended = system.store.load(accused)
    assert isinstance(began.body, AttemptStarted)
    assert system.store.load(neighbour)[-1].occurred_at <= began.occurred_at
    assert all(system.store.load(task_id)[1].occurred_at >= ended.occurred_at for task_id in others)
    assert worker.process.poll() is None


def test_a_last_chance_that_waits_can_be_cancelled(system: System) -> None:
    _, neighbour, accused = one_beside_a_neighbour(system)

    system.producer.cancel(accused, requested_by=7)

    system.wait_finished(accused)
    assert system.history(accused)[-1] == TaskCancelled(requested_by=7)
    assert len(system.attempts(accused)) == 2
    following = system.submit_traced("append")
    system.wait_finished(following)
    system.open_gates(neighbour)
    system.wait_finished(neighbour)
    assert_all_succeeded(system, [neighbour, following])


def test_a_last_chance_that_waits_goes_to_another_worker_when_its_own_stops(system: System) -> None:
    worker, neighbour, accused = one_beside_a_neighbour(system)
    system.worker(**MODES["held"]).wait_ready()

    worker.terminate()
    system.wait(lambda: "draining" in worker.output)
    system.open_gates(neighbour)

    system.wait_all_finished([neighbour, accused], seconds=30)
    assert_all_succeeded(system, [neighbour, accused])
    assert [f"/{worker.pid}/" in attempt.worker for attempt in system.attempts(neighbour)] == [True]
    assert [f"/{worker.pid}/" in attempt.worker for attempt in system.attempts(accused)] == [False] * 3


def one_beside_a_neighbour(system: System) -> tuple[Part, TaskId, TaskId]:
    """A worker in which a task waits to run alone, beside one that goes on until its gate is opened."""
    system.projections()
    worker = system.worker(max_tasks=4, **MODES["held"])
    neighbour = system.submit_traced("gate")
    system.wait_started(neighbour)
    accused = new_task_id()
    parameters = {"path": str(system.trace(accused))}
    for name in ("gone", "gone too"):
        Desks(system.store, name).lease(command(accused, name="append", parameters=parameters))
        somebody_decides(system.store, accused, Expire(fence=system.store.state(accused).fence, at=BEGAN, detail=""))
        release(system.store, accused)
    system.producer.submit("append", parameters, task_id=accused)
    system.wait(lambda: "last chance, to run alone" in worker.output)
    return worker, neighbour, accused


def losses(system: System, task_id: TaskId) -> int:
    return sum(isinstance(event, AttemptLost) for event in system.history(task_id))
