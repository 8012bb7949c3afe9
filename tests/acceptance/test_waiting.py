"""What waits goes on at the right time, through processes as they run in production, one of each or two of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from batchtask.events import (
    AttemptSnoozed,
    AttemptStarted,
    PassCompleted,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskSubmitted,
)
from batchtask.identifiers import TaskId, new_task_id
from batchtask.tables import batchtask
from producer.task_request import TaskRequest
from projections.rows import State
from projections.schedules import Schedules
from tests.desks import command
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import System, running_system


@pytest.fixture(scope="module")
def doubled(
    virtual_hosts: Callable[[], AbstractContextManager[str]],
    databases: Callable[[], AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[System]:
    """Two workers and two projections processes, and so two schedulers."""
    directory = tmp_path_factory.mktemp("doubled")
    with (
        virtual_hosts() as amqp_url,
        databases() as database_url,
        running_system(amqp_url, database_url, directory) as system,
    ):
        for part in [system.worker(), system.worker(), system.projections(), system.projections()]:
            part.wait_ready()
        yield system


def kinds(system: System, task_id: TaskId) -> list[str]:
    """What happened, without the releases: a worker may claim what was published before that is recorded."""
    return [type(event).__name__ for event in system.history(task_id) if not isinstance(event, TaskReleased)]


def delayed(system: System, count: int, **when: Any) -> list[TaskId]:
    """Submit tasks that leave a trace, for later."""
    ids = [new_task_id() for _ in range(count)]
    return system.producer.submit_many(
        TaskRequest(name="append", task_id=task_id, parameters={"path": str(system.trace(task_id))}, **when)
        for task_id in ids
    )


def test_a_delayed_task_is_shown_as_waiting_and_starts_when_its_time_has_come(doubled: System) -> None:
    start_at = datetime.now(UTC) + timedelta(seconds=2)
    [task_id] = delayed(doubled, 1, start_at=start_at)

    doubled.wait(lambda: doubled.row(task_id) is not None)
    row = doubled.row(task_id)
    assert row is not None
    assert (row["state"], row["due_at"]) == (State.New, start_at)

    doubled.wait_finished(task_id)
    [started] = [event for event in doubled.store.load(task_id) if isinstance(event.body, AttemptStarted)]
    assert timedelta(0) <= started.occurred_at - start_at < timedelta(seconds=2)
    assert kinds(doubled, task_id) == ["TaskSubmitted", "AttemptStarted", "TaskSucceeded"]


def test_many_tasks_that_are_due_at_once_run_once_each(doubled: System) -> None:
    ids = delayed(doubled, 300, delay_seconds=1)

    doubled.wait_all_finished(ids, seconds=60)

    assert_all_succeeded(doubled, ids)
    assert_each_ran_once(doubled, ids)


def test_a_multi_pass_task_is_called_again_after_its_pause_until_it_says_that_it_is_done(doubled: System) -> None:
    task_id = doubled.submit_traced("passes", calls=3)

    assert doubled.wait_finished(task_id)["response"] == "3 passes"

    each = ["PassCompleted", "AttemptStarted"]
    assert kinds(doubled, task_id) == ["TaskSubmitted", "AttemptStarted", *each, *each, "TaskSucceeded"]
    events = doubled.store.load(task_id)
    ended = [event.occurred_at for event in events if isinstance(event.body, PassCompleted)]
    began = [event.occurred_at for event in events if isinstance(event.body, AttemptStarted)][1:]
    for end, begin in zip(ended, began, strict=True):
        assert timedelta(seconds=1) <= begin - end < timedelta(seconds=4)
    assert doubled.trace(task_id).read_text() == "1\n1\n1\n"


def test_every_pass_has_its_own_tries(doubled: System) -> None:
    task_id = doubled.submit_traced("stumbling-passes", calls=6)

    assert doubled.wait_finished(task_id)["state"] == State.Succeeded

    assert doubled.trace(task_id).read_text() == "1\n2\n" * 3


def test_a_multi_pass_task_fails_when_the_tries_of_one_pass_run_out(doubled: System) -> None:
    task_id = doubled.submit_traced("falling-passes", calls=2)

    assert doubled.wait_finished(task_id)["state"] == State.Failed

    assert doubled.trace(task_id).read_text() == "1\n1\n2\n"
    assert isinstance(doubled.history(task_id)[-1], TaskFailed)


def test_a_multi_pass_task_ends_when_it_is_cancelled_between_two_passes(doubled: System) -> None:
    task_id = doubled.submit_traced("passes", calls=1000)
    doubled.wait(lambda: any(isinstance(event, PassCompleted) for event in doubled.history(task_id)))

    doubled.producer.cancel(task_id, requested_by=7)

    assert doubled.wait_finished(task_id)["state"] == State.Failed
    assert isinstance(doubled.history(task_id)[-1], TaskCancelled)


def test_a_task_that_asks_for_it_is_called_later_and_uses_up_no_attempt(doubled: System) -> None:
    task_id = doubled.submit_traced("snoozing", calls=3)

    assert doubled.wait_finished(task_id)["state"] == State.Succeeded

    assert doubled.trace(task_id).read_text() == "1\n1\n1\n"
    assert sum(isinstance(event, AttemptSnoozed) for event in doubled.history(task_id)) == 2


def turns(system: System, path: Path, count: int, **parameters: object) -> list[TaskId]:
    return system.producer.submit_many(
        TaskRequest(name="turn", parameters={"path": str(path), **parameters}) for _ in range(count)
    )


def runs(path: Path) -> list[tuple[float, float | None]]:
    """When runs began and ended, in order; they did not overlap. None for one that was killed."""
    found: list[tuple[float, float | None]] = []
    for line in path.read_text().splitlines():
        what, _, at = line.split()
        if what == "begin":
            found.append((float(at), None))
        else:
            began, ended = found[-1]
            assert ended is None, "a run ended while another one went on"
            found[-1] = (began, float(at))
    return found


def assert_distance_is_kept(found: Sequence[tuple[float, float | None]], start_to_start_seconds: float) -> None:
    for (began, ended), (begins, _) in pairwise(found):
        # Between claim and first line a child may be slow once, and quick the next time.
        assert begins - began > start_to_start_seconds - 0.3
        assert ended is None or begins > ended


def test_runs_that_take_turns_never_overlap_and_keep_their_distance(doubled: System) -> None:
    path = doubled.directory / "turns"
    ids = turns(doubled, path, 5)

    doubled.wait_all_finished(ids, seconds=60)

    assert_all_succeeded(doubled, ids)
    found = runs(path)
    assert len(found) == 5
    assert_distance_is_kept(found, 1)
    for task_id in ids:
        history = doubled.history(task_id)
        assert sum(isinstance(event, TaskDeferred) for event in history) <= 2, "waiting for a turn costs no events"


def test_a_turn_does_not_die_with_the_worker_that_had_it(system: System) -> None:
    workers = [system.worker(), system.worker()]
    for part in [*workers, system.projections(), system.projections()]:
        part.wait_ready()
    path = system.directory / "turns"
    ids = turns(system, path, 3, seconds=1.5)
    system.wait(path.exists)
    running = next(task_id for task_id in ids if system.attempts(task_id))
    [holder] = [part for part in workers if f"/{part.pid}/" in system.attempts(running)[0].worker]

    holder.kill()

    system.wait_all_finished(ids, seconds=60)
    assert_all_succeeded(system, ids)
    assert_distance_is_kept(runs(path), 1)
    assert [ended is None for _, ended in runs(path)].count(True) <= 1
    assert len(system.attempts(running)) == 2


def test_a_schedule_runs_once_at_each_tick_and_never_twice_at_once(doubled: System) -> None:
    schedules = Schedules(doubled.engine)
    path = doubled.directory / "ticks"
    parameters = {"path": str(path), "seconds": 2.5}
    schedules.add("every-second", "* * * * * *", "UTC", command(name="append", parameters=parameters))

    doubled.wait(lambda: path.exists() and path.read_text().count("\n") >= 3)
    doubled.wait(lambda: schedules.all()[0].note == "Skipped: the task before has not ended.")
    schedules.remove("every-second")

    scheduled = [task_id for task_id in doubled.states() if is_of_schedule(doubled, task_id)]
    doubled.wait_all_finished(scheduled, seconds=20)
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(str(task_id) for task_id in scheduled)
    spans = sorted(span(doubled, task_id) for task_id in scheduled)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def is_of_schedule(system: System, task_id: TaskId) -> bool:
    first = system.history(task_id)[0]
    return isinstance(first, TaskSubmitted) and first.schedule != ""


def span(system: System, task_id: TaskId) -> tuple[datetime, datetime]:
    events = system.store.load(task_id)
    return events[0].occurred_at, events[-1].occurred_at


def test_schedulers_that_are_killed_while_they_release_lose_no_task_and_run_none_twice(system: System) -> None:
    worker = system.worker()
    worker.wait_ready()
    schedulers = [system.projections(), system.projections()]
    ids = delayed(system, 800, delay_seconds=1.5)
    system.wait(lambda: len(system.rows()) == len(ids))

    killed = 0
    while any(state is State.New for state in system.states().values()) and killed < 8:
        schedulers.pop(0).kill()
        schedulers.append(system.projections())
        schedulers[-1].wait_ready()
        killed += 1

    system.wait_all_finished(ids, seconds=90)
    assert_all_succeeded(system, ids)
    assert_each_ran_once(system, ids)
    for task_id in ids:
        assert sum(isinstance(event, TaskReleased) for event in system.history(task_id)) <= 1


def test_two_of_everything_give_the_same_rows_as_one(running: System, doubled: System) -> None:
    assert story(running) == story(doubled)


def story(system: System) -> list[tuple[dict[str, Any], list[str]]]:
    """Submit some of everything that waits, and return rows and events without what differs from run to run."""
    wanted: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        *[("append", {}, {"delay_seconds": 0.5}) for _ in range(5)],
        *[("append", {}, {}) for _ in range(20)],
        ("passes", {"calls": 2}, {}),
        ("stumbling-passes", {"calls": 4}, {}),
        ("falling-passes", {"calls": 1}, {}),
        ("snoozing", {"calls": 2}, {}),
    ]
    ids = [new_task_id() for _ in wanted]
    system.producer.submit_many(
        TaskRequest(name=name, task_id=task_id, parameters={"path": str(system.trace(task_id)), **more}, **when)
        for task_id, (name, more, when) in zip(ids, wanted, strict=True)
    )
    system.wait_all_finished(ids, seconds=60)
    rows = system.rows(batchtask.c.task_id.in_(ids))
    return [(_timeless(rows[task_id]), kinds(system, task_id)) for task_id in ids]


#: Ids and times; and how many events there are, which depends on whether a worker was faster than a release.
OWN = {"task_id", "batchtask_id", "batchtaskdefinition_id", "registered", "updated", "laststarted"}
OWN |= {"version", "updatedcount"}


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OWN}
