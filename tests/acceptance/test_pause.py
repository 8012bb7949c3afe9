"""Workers that are there, and pausing them, with real processes: nothing is lost, and nothing runs meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import delete, select

from batchtask.cli.exits import Exit
from batchtask.identifiers import TaskId
from batchtask.pausing import Pausing
from batchtask.tables_workers import pause, worker
from projections.passes import WATCH_SECONDS
from projections.workers import ALIVE_SECONDS
from tests.command_line import Answer, batchtask
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import Part, System

#: A worker hears of a pause within 5 s; on a busy machine it may take a little longer.
HEARD_SECONDS = 8


def begun(system: System, task_ids: Sequence[TaskId]) -> set[TaskId]:
    """The tasks whose code has run, or runs: they write into a file first."""
    return {task_id for task_id in task_ids if system.trace(task_id).exists()}


def ready(system: System, *parts: Part) -> None:
    for part in parts:
        part.wait_ready()


def words(part: Part, text: str) -> int:
    return part.output.count(text)


def names(system: System) -> list[str]:
    with system.engine.connect() as connection:
        return list(connection.execute(select(worker.c.id)).scalars())


def alive(answer: Answer) -> dict[int, bool]:
    """By process id."""
    return {one["pid"]: one["alive"] for one in answer.json["workers"]}


def test_workers_are_seen_at_once_killed_ones_soon_and_those_that_end_in_good_order_are_gone(system: System) -> None:
    first, second = system.worker(max_tasks=2), system.worker(max_tasks=3)
    ready(system, first, second, system.projections())
    [task_id] = system.submit_many_traced("gate-leased", 1)
    system.wait_started(task_id)
    system.wait(lambda: any(one["running"] for one in batchtask(system, "workers", "--json").json["workers"]))

    seen = batchtask(system, "workers", "--json").json["workers"]
    assert {(one["pid"], one["slots"], one["alive"]) for one in seen} == {(first.pid, 2, True), (second.pid, 3, True)}
    holder = next(one for one in seen if one["running"])
    assert [task["task_id"] for task in holder["running"]] == [str(task_id)]
    assert holder["name"] == system.attempts(task_id)[-1].worker

    victim, survivor = (first, second) if holder["pid"] == first.pid else (second, first)
    victim.kill()
    system.wait(
        lambda: not alive(batchtask(system, "workers", "--json"))[victim.pid], seconds=ALIVE_SECONDS + HEARD_SECONDS
    )

    left = {one["pid"]: one for one in batchtask(system, "workers", "--json").json["workers"]}
    assert left[survivor.pid]["alive"]
    # Its lease has not run out: by the streams it is still the one that holds the task.
    assert [task["task_id"] for task in left[victim.pid]["running"]] == [str(task_id)]
    text = batchtask(system, "workers").text
    assert "not heard of" in text
    assert "held, until others take over" in text

    survivor.terminate()
    assert survivor.exit_code() == 0
    assert [one["pid"] for one in batchtask(system, "workers", "--json").json["workers"]] == [victim.pid]


def test_during_a_pause_running_tasks_end_and_no_others_begin_and_afterwards_all_run_once(system: System) -> None:
    workers = [system.worker(max_tasks=2) for _ in range(2)]
    ready(system, *workers, system.projections(reconcile_seconds=1))
    running = system.submit_many_traced("gate", 4)
    for task_id in running:
        system.wait_started(task_id)
    waiting = system.submit_many_traced("append", 100)

    said = batchtask(system, "pause", "--reason", "new release")
    system.wait(lambda: all(words(part, "worker paused") for part in workers), seconds=HEARD_SECONDS)
    system.open_gates(*running)
    system.wait_all_finished(running, seconds=20)
    later = system.submit_many_traced("append", 20)
    # Long enough for the reconciler to suspect, and to be sure of, messages that it believed to be lost.
    system.wait(lambda: len(system.states()) == 124)
    began = time.monotonic()
    system.wait(lambda: time.monotonic() - began > WATCH_SECONDS + 4, seconds=60)

    assert "new release" in said.text
    assert begun(system, [*waiting, *later]) == set()
    assert all(not system.attempts(task_id) for task_id in (*waiting, *later))
    assert all(len(system.history(task_id)) == 1 for task_id in (*waiting, *later))

    batchtask(system, "resume")
    everything = [*running, *waiting, *later]
    system.wait_all_finished(everything, seconds=HEARD_SECONDS + 30)
    assert_all_succeeded(system, everything)
    assert_each_ran_once(system, [*waiting, *later])
    assert all(len(system.attempts(task_id)) == 1 for task_id in everything)


def test_a_worker_that_starts_during_a_pause_takes_nothing_until_it_ends(system: System) -> None:
    ready(system, system.projections())
    batchtask(system, "pause")
    worker_part = system.worker()
    ready(system, worker_part)
    task_ids = system.submit_many_traced("append", 5)
    system.wait(lambda: len(system.states()) == 5)

    assert words(worker_part, "worker paused") == 1
    assert begun(system, task_ids) == set()
    worker_part.kill()
    again = system.worker()
    ready(system, again)
    assert words(again, "worker paused") == 1
    assert begun(system, task_ids) == set()

    with system.engine.begin() as connection:
        connection.execute(delete(pause))  # as with a database that was restored from a backup
    system.wait_all_finished(task_ids, seconds=HEARD_SECONDS + 20)
    assert_each_ran_once(system, task_ids)


def test_one_paused_worker_leaves_all_work_to_the_other(system: System) -> None:
    first, second = system.worker(), system.worker()
    ready(system, first, second, system.projections())
    idle = next(one for one in names(system) if f"/{first.pid}/" in one)

    said = batchtask(system, "pause", "--worker", idle.replace("/", ":"))
    system.wait(lambda: words(first, "worker paused"), seconds=HEARD_SECONDS)
    task_ids = system.submit_many_traced("append", 40)
    system.wait_all_finished(task_ids, seconds=20)

    assert said.code == 0, said.complaint
    assert {attempt.worker for task_id in task_ids for attempt in system.attempts(task_id)}.isdisjoint({idle})
    assert words(second, "worker paused") == 0
    batchtask(system, "resume", "--worker", idle.replace("/", ":"))
    system.wait(lambda: words(first, "worker goes on"), seconds=HEARD_SECONDS)


def test_a_pause_under_load_and_a_worker_killed_during_it_lose_nothing(system: System) -> None:
    workers = [system.worker(max_tasks=4) for _ in range(2)]
    ready(system, *workers, system.projections())
    task_ids = system.submit_many_traced("append", 400, seconds=0.02)
    system.wait(lambda: len(begun(system, task_ids)) > 20)

    Pausing(system.engine).pause("test")
    system.wait(lambda: all(words(part, "worker paused") for part in workers), seconds=HEARD_SECONDS)
    workers[0].kill()
    ready(system, system.worker(max_tasks=4))
    Pausing(system.engine).resume()

    system.wait_all_finished(task_ids, seconds=60)
    assert_all_succeeded(system, task_ids)
    assert_each_ran_once(system, task_ids)


def test_commands_say_what_is_wrong_in_a_sentence(system: System) -> None:
    unknown = batchtask(system, "pause", "--worker", "web1:1:abcdef")
    nothing = batchtask(system, "resume")
    nobody = batchtask(system, "workers")

    assert unknown.code == Exit.NOT_FOUND
    assert "no worker 'web1/1/abcdef' is there" in unknown.complaint
    assert "Traceback" not in unknown.complaint
    assert nothing.text.strip() == "Nothing was paused."
    assert nobody.text.strip() == "No workers."
