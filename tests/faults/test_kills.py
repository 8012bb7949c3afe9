"""Processes die at any moment, tasks do not: everything that was accepted ends, once, and the rows say so."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial

import psutil

from batchtask.events import AttemptLost
from tests.outcome import assert_all_succeeded, assert_each_ran_once, assert_effects_match_attempts
from tests.system import System

SEED = 20260301


def test_tasks_of_a_killed_worker_run_again_elsewhere_at_once(system: System) -> None:
    first = system.worker(max_tasks=5)
    system.projections()
    ids = system.submit_many_traced("gate", 5)
    for task_id in ids:
        system.wait_started(task_id)
    children = psutil.Process(first.pid).children(recursive=True)
    second = system.worker(max_tasks=5)
    second.wait_ready()

    first.kill()
    killed_at = time.monotonic()

    for task_id in ids:
        system.wait_started(task_id, attempts=2)
    assert time.monotonic() - killed_at < 5
    system.open_gates(*ids)
    system.wait_all_finished(ids, seconds=20)
    assert_all_succeeded(system, ids)
    for task_id in ids:
        assert [event.fence for event in system.attempts(task_id)] == [1, 2]
        assert system.trace(task_id).read_text() == "1\n2\n"
    system.wait(lambda: not any(child.is_running() for child in children))


def test_a_task_whose_child_is_killed_runs_again_in_the_same_worker(system: System) -> None:
    worker = system.worker()
    system.projections()
    task_id = system.submit_traced("gate")
    system.wait_started(task_id)

    for process in psutil.Process(worker.pid).children(recursive=True):
        if os.getpgid(process.pid) == process.pid:  # a child leads a group of its own
            process.send_signal(signal.SIGKILL)

    system.wait_started(task_id, attempts=2)
    system.open_gates(task_id)
    system.wait_finished(task_id)
    assert_all_succeeded(system, [task_id])
    lost = [event.detail for event in system.history(task_id) if isinstance(event, AttemptLost)]
    # On a busy machine the second attempt may begin in a child that is killed a moment after the first.
    assert lost in (["the process was ended by SIGKILL"], ["the process was ended by SIGKILL"] * 2)


def test_rows_are_right_after_the_projections_were_killed_in_the_middle(system: System) -> None:
    system.worker()
    projections = system.projections()
    ids = system.submit_many_traced("append", 300)
    for wanted in (1, 100, 200):
        system.wait(partial(has_rows, system, wanted))
        projections.kill()
        projections = system.projections()

    system.wait_all_finished(ids, seconds=30)

    assert_all_succeeded(system, ids)
    assert_each_ran_once(system, ids)


def test_everything_ends_once_while_workers_and_projections_are_killed_at_random(system: System) -> None:
    chance = random.Random(SEED)
    starters = [partial(system.worker, max_tasks=4)] * 2 + [system.projections] * 2
    parts = [start() for start in starters]
    ids = system.submit_many_traced("append", 400, seconds=0.03)
    for _ in range(8):
        time.sleep(chance.uniform(0.3, 0.8))  # at any moment: that is the point
        victim = chance.randrange(len(parts))
        parts[victim].kill()
        parts[victim] = starters[victim]()

    system.wait_all_finished(ids, seconds=60)

    assert_all_succeeded(system, ids)
    assert_effects_match_attempts(system, ids)


def has_rows(system: System, count: int) -> bool:
    return len(system.states()) >= count
