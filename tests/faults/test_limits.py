"""Limits, stops and retries on the whole system: what ended an attempt stands in its stream, and the row agrees."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    AttemptTimedOut,
    Event,
    RetryScheduled,
    TaskFailed,
)
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from batchtask.tables import effect
from projections.rows import State
from tests.children import runs
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import System

HELD = {"task_timeout": 600}  # every task has a limit, so that its message is held


def test_a_task_that_looks_returns_when_time_is_short(system: System) -> None:
    system.worker()
    system.projections()

    row = system.wait_finished(system.submit_traced("notices"))

    assert (row["state"], row["response"]) == (State.Succeeded, "stopped in time")


def test_a_task_that_lets_the_interruption_pass_ends_at_its_limit_with_a_budget_of_its_own(system: System) -> None:
    system.worker()
    system.projections()
    task_id = system.submit_traced("interrupted")

    row = system.wait_finished(task_id)

    assert row["state"] == State.Failed
    assert "longer than its limit of 1 s" in row["response"]
    assert ends(system, task_id) == [AttemptTimedOut(fence=1, limit_seconds=1), failed(system, task_id)]
    assert failed(system, task_id).cause is Cause.TIME_LIMIT


def test_a_task_that_catches_the_interruption_succeeds(system: System) -> None:
    system.worker()
    system.projections()

    row = system.wait_finished(system.submit_traced("interrupted", how="save"))

    assert (row["state"], row["response"]) == (State.Succeeded, "saved")


def test_an_interruption_waits_for_an_effect_that_has_begun(system: System) -> None:
    system.worker()
    system.projections()
    task_id = system.submit_traced("interrupted", how="effect")

    system.wait_finished(task_id)

    assert system.trace(task_id).read_text() == "began\nprinted\ninterrupted\n"
    with system.engine.connect() as connection:
        assert connection.execute(select(effect.c.outcome)).scalars().all() == ["page 1"]


def test_the_service_wide_limit_kills_what_left_the_process_group(system: System) -> None:
    system.worker(task_timeout=2)
    system.projections()
    task_id = system.submit_traced("leaves-processes", how="stay")

    system.wait_finished(task_id)

    assert failed(system, task_id).cause is Cause.TIME_LIMIT
    assert_started_are_gone(system, task_id)


def test_processes_that_left_the_group_die_with_the_worker(system: System) -> None:
    worker = system.worker()
    task_id = system.submit_traced("leaves-processes", how="stay")
    system.wait(lambda: "began" in text(system.trace(task_id)))

    worker.kill()

    assert_started_are_gone(system, task_id)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_too_much_memory_is_a_failure_with_a_budget_of_its_own_and_harms_no_neighbour(
    where: str, system: System
) -> None:
    system.worker(child_memory_mb=0)
    system.projections()
    neighbour = system.submit_traced("takes-memory", mb=20)
    greedy = system.submit_traced("takes-memory", mb=300, where=where)

    row = system.wait_finished(greedy)

    assert "more memory than its limit of 100 MB" in row["response"]
    causes = [event.cause for event in system.history(greedy) if isinstance(event, AttemptFailed | RetryScheduled)]
    assert causes == [Cause.MEMORY] * 3  # two attempts, and a retry between them
    assert failed(system, greedy).cause is Cause.MEMORY
    system.open_gates(neighbour)
    assert system.wait_finished(neighbour)["state"] == State.Succeeded
    assert len(system.attempts(neighbour)) == 1


def test_the_service_wide_memory_limit_counts_where_it_is_smaller(system: System) -> None:
    system.worker(memory_limit_mb=60)
    system.projections()

    row = system.wait_finished(system.submit_traced("takes-memory", mb=80))

    assert "more memory than its limit of 60 MB" in row["response"]


def test_children_are_replaced_while_tasks_run_and_each_task_runs_once(system: System) -> None:
    system.worker(child_tasks=7)
    system.projections()
    ids = system.submit_many_traced("append", 200)

    system.wait_all_finished(ids, seconds=60)

    assert_all_succeeded(system, ids)
    assert_each_ran_once(system, ids)


def test_nothing_starts_while_the_processors_are_too_busy_and_what_runs_goes_on(system: System) -> None:
    worker = system.worker(cpu_threshold=30, max_tasks=2, **HELD)
    system.projections()
    running = system.submit_traced("gate")
    system.wait_started(running)
    with busy_processors():
        system.wait(lambda: "processors too busy" in worker.output)
        queued = system.submit_many_traced("append", 20)
        system.wait(lambda: len(system.states()) == 21)
        system.open_gates(running)
        system.wait_finished(running)
        assert [task_id for task_id in queued if system.attempts(task_id)] == []
        assert "processors free" not in worker.output
        system.worker(**HELD).wait_ready()  # a machine with time for it

        system.wait_all_finished(queued, seconds=30)

    assert_all_succeeded(system, [running, *queued])
    assert_each_ran_once(system, queued)


@pytest.mark.parametrize(
    ("how", "attempts", "cause"),
    [
        ("again", 3, Cause.ERROR),
        ("named", 3, Cause.ERROR),
        ("expected", 1, Cause.ERROR),
        ("other", 1, Cause.ERROR),
        ("never", 1, Cause.ERROR),
        ("slow", 2, Cause.TIME_LIMIT),
        ("die", 2, Cause.LOST_WORKER),
    ],
)
def test_each_cause_of_failure_has_the_budget_that_its_definition_grants(
    how: str, attempts: int, cause: Cause, system: System
) -> None:
    system.worker()
    system.projections()
    task_id = system.submit_traced("flaky", how=how, times=100)

    row = system.wait_finished(task_id)

    assert row["state"] == State.Failed
    assert failed(system, task_id).cause is cause
    assert system.trace(task_id).read_text() == "".join(f"{number}\n" for number in range(1, attempts + 1))


def test_pauses_between_attempts_grow_and_the_attempt_after_them_may_succeed(system: System) -> None:
    system.worker()
    system.projections()
    task_id = system.submit_traced("flaky", how="again", times=2)

    row = system.wait_finished(task_id)

    assert (row["state"], row["response"]) == (State.Succeeded, "recovered")
    retries = [event for event in system.store.load(task_id) if isinstance(event.body, RetryScheduled)]
    pauses = [round((event.body.due_at - event.occurred_at).total_seconds(), 1) for event in retries]  # type: ignore[attr-defined]
    assert pauses == [0.1, 0.2]


def test_an_interrupted_attempt_uses_no_budget(system: System) -> None:
    worker = system.worker(drain_seconds=0, **HELD)
    system.projections()
    task_id = system.submit_traced("gate")
    for round_ in range(1, 5):  # more often than anything may fail
        system.wait_started(task_id, attempts=round_)
        worker.terminate()
        worker.exit_code()
        worker = system.worker(drain_seconds=0, **HELD)

    system.wait_started(task_id, attempts=5)
    system.open_gates(task_id)
    system.wait_finished(task_id)

    assert_all_succeeded(system, [task_id])
    assert Counter(type(event) for event in system.history(task_id))[AttemptInterrupted] == 4
    assert {event.attempt for event in system.attempts(task_id)} == {1}


def test_a_snooze_uses_no_budget(system: System) -> None:
    system.worker(**HELD)
    system.projections()
    task_id = system.submit_traced("dozes", times=4)

    row = system.wait_finished(task_id)

    assert (row["state"], row["response"]) == (State.Succeeded, "printed")
    assert system.trace(task_id).read_text() == "1\n" * 5


def test_a_task_that_kills_its_process_again_and_again_is_set_aside_and_its_neighbours_are_unharmed(
    system: System,
) -> None:
    system.worker(max_tasks=4, **HELD)
    system.projections()
    neighbours = system.submit_many_traced("gate", 2)
    for task_id in neighbours:
        system.wait_started(task_id)
    killer = system.submit_traced("die", times=100)
    others = system.submit_many_traced("append", 50)

    row = system.wait_finished(killer)
    system.open_gates(*neighbours)
    system.wait_all_finished([*neighbours, *others], seconds=30)

    assert "the process that ran it died 3 times" in row["response"]
    assert failed(system, killer).cause is Cause.LOST_WORKER
    lost = [event for event in system.history(killer) if isinstance(event, AttemptLost)]
    assert [event.detail for event in lost] == ["the process was ended by SIGKILL"] * 3
    assert_all_succeeded(system, [*neighbours, *others])
    assert {len(system.attempts(task_id)) for task_id in [*neighbours, *others]} == {1}


def ends(system: System, task_id: TaskId) -> list[Event]:
    """What happened after the attempts began."""
    return [event for event in system.history(task_id)[1:] if not isinstance(event, AttemptStarted)]


def failed(system: System, task_id: TaskId) -> TaskFailed:
    end = system.history(task_id)[-1]
    assert isinstance(end, TaskFailed), end
    return end


def assert_started_are_gone(system: System, task_id: TaskId) -> None:
    started = [int(line) for line in text(system.trace(task_id)).split() if line != "began"]
    assert len(started) == 2
    system.wait(lambda: not any(map(runs, started)))


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def busy_processors() -> Iterator[None]:
    """Keep all processors of the machine busy."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=spin, daemon=True) for _ in range(psutil.cpu_count() or 1)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def spin() -> None:
    while True:
        pass
