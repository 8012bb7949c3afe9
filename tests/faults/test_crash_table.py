"""The crash table: a process dies between any two steps, and afterwards the same is true. See docs/crashes.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from producer.outbox import Outbox
from producer.task_request import TaskRequest
from tests.outcome import assert_all_succeeded
from tests.system import Part, System
from tests.tally import STEPS, make_tally, tallied

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("batchtask", "producer", "worker", "projections")
TASKS = 12
#: Short, so that a lease runs out while a test waits.
QUICK = {"heartbeat_seconds": 0.3, "lease_seconds": 1.5, "reconcile_seconds": 0.3, "drain_seconds": 0}


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    point: str
    part: str  #: that is killed: `worker` or `projections`
    work: Callable[[System], list[TaskId]]  #: makes the part get there


def plain(system: System) -> list[TaskId]:
    return submit(system, "tally")


def leased(system: System) -> list[TaskId]:
    return submit(system, "tally-leased")


def retried(system: System) -> list[TaskId]:
    return submit(system, "tally", fail_attempts=1)


def transactional(system: System) -> list[TaskId]:
    outbox = Outbox(Settings())
    with system.engine.begin() as connection:
        return [outbox.submit(connection, "tally", {"steps": STEPS}) for _ in range(TASKS)]


def interrupted(system: System) -> list[TaskId]:
    ids = submit(system, "tally", seconds=0.5)
    system.wait(lambda: any(system.attempts(task_id) for task_id in ids))
    worker_of(system).terminate()
    return ids


def submit(system: System, name: str, **parameters: object) -> list[TaskId]:
    request = {"steps": STEPS, **parameters}
    return system.producer.submit_many(TaskRequest(name=name, parameters=request) for _ in range(TASKS))


def worker_of(system: System) -> Part:
    return next(part for part in system.parts if part.name.startswith("worker"))


CASES = [
    Case("attempt.read", "worker", plain),
    Case("journal.writing", "worker", plain),
    Case("journal.written", "worker", plain),
    Case("attempt.claimed", "worker", plain),
    Case("attempt.performed", "worker", plain),
    Case("attempt.recorded", "worker", plain),
    Case("attempt.announced", "worker", plain),
    Case("attempt.settled", "worker", plain),
    Case("attempt.handed-back", "worker", interrupted),
    Case("attempt.let-go", "worker", leased),
    Case("attempt.performed", "worker", leased),
    Case("attempt.recorded", "worker", leased),
    Case("attempt.recorded", "worker", retried),
    Case("projector.recorded", "projections", plain),
    Case("projector.written", "projections", plain),
    Case("projector.committed", "projections", plain),
    Case("projections.applied", "projections", plain),
    Case("projections.settled", "projections", plain),
    Case("relay.taken", "projections", transactional),
    Case("relay.published", "projections", transactional),
    Case("relay.deleted", "projections", transactional),
    Case("relay.committed", "projections", transactional),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.point} of {case.work.__name__} work")
def test_a_crash_between_any_two_steps_changes_nothing_of_the_result(case: Case, system: System) -> None:
    make_tally(system)
    other = "projections" if case.part == "worker" else "worker"
    for part in (system.crashing(case.part, case.point, **QUICK), system.start(other, QUICK)):
        part.wait_ready()

    ids = case.work(system)
    system.wait(lambda: system.crashed(case.point))
    system.start(case.part, QUICK)

    system.wait_all_finished(ids, seconds=30)
    assert_all_succeeded(system, ids)
    assert tallied(system) == sorted((task_id, step) for task_id in ids for step in range(STEPS))


def test_every_signal_point_stands_in_the_table() -> None:
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    in_code = {point for source in sources for point in re.findall(r'reached\("([\w.-]+)"\)', source)}
    page = (ROOT / "docs" / "crashes.md").read_text()
    described = set(re.findall(r"^\| `([\w.-]+)` \|", page, re.MULTILINE))

    assert {case.point for case in CASES} == in_code
    assert described == in_code
