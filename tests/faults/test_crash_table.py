"""The crash table: a process dies between any two steps, and afterwards the same is true. See docs/crashes.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pika
import pytest
from sqlalchemy import func

from batchtask.identifiers import TaskId, new_task_id
from batchtask.messages import SubmitTask
from batchtask.settings import Settings
from batchtask.tables import schedule
from producer.outbox import Outbox
from producer.task_request import TaskRequest
from projections.schedules import Schedules
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
    part: str  #: that is killed, or one of its children: `worker` or `projections`
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
    Case("checkpoint.appended", "worker", plain),
    Case("checkpoint.committed", "worker", plain),
    Case("checkpoint.committed", "worker", leased),
    Case("projector.recorded", "projections", plain),
    Case("projector.written", "projections", plain),
    Case("projector.committed", "projections", plain),
    Case("projections.applied", "projections", plain),
    Case("projections.settled", "projections", plain),
    Case("scheduler.taken", "projections", retried),
    Case("scheduler.published", "projections", retried),
    Case("scheduler.written", "projections", retried),
    Case("scheduler.committed", "projections", retried),
    Case("relay.taken", "projections", transactional),
    Case("relay.published", "projections", transactional),
    Case("relay.deleted", "projections", transactional),
    Case("relay.committed", "projections", transactional),
]

#: Points with a test of their own: below, and of the web process in tests/acceptance/test_compatible_api.py.
ELSEWHERE = ["scheduler.ticked", "dead-letters.kept", "amend.recorded"]
EFFECT_POINTS = ["effect.intended", "effect.performed", "effect.remembered"]


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


@pytest.mark.parametrize("point", EFFECT_POINTS)
def test_an_effect_is_done_once_although_a_child_dies(point: str, system: System) -> None:
    system.crashing("worker", point, **QUICK).wait_ready()
    system.projections(**QUICK).wait_ready()

    ids = system.submit_many_traced("append-once", TASKS)

    system.wait(lambda: system.crashed(point))
    system.wait_all_finished(ids, seconds=30)
    assert_all_succeeded(system, ids)
    for task_id in ids:
        assert system.trace(task_id).read_text() == f"{task_id}\n"


def test_ticks_whose_scheduler_dies_are_one_task_each(system: System) -> None:
    make_tally(system)
    system.crashing("projections", "scheduler.ticked", **QUICK).wait_ready()
    system.worker(**QUICK)
    schedules = Schedules(system.engine)
    for number in range(TASKS):
        command = SubmitTask(
            task_id=new_task_id(), name="tally", submitted_at=datetime.now(UTC), parameters={"steps": STEPS}
        )
        schedules.add(f"tick {number}", "0 0 1 1 *", "UTC", command)
    with system.engine.begin() as connection:
        connection.execute(schedule.update().values(next_at=func.now()))

    system.wait(lambda: system.crashed("scheduler.ticked"))
    system.projections(**QUICK)

    system.wait(lambda: all(one.last_task_id for one in schedules.all()))
    ids = [TaskId(one.last_task_id) for one in schedules.all() if one.last_task_id is not None]
    system.wait_all_finished(ids, seconds=30)
    assert_all_succeeded(system, ids)
    assert set(system.rows()) == set(ids)
    assert tallied(system) == sorted((task_id, step) for task_id in ids for step in range(STEPS))


def test_a_dead_letter_whose_keeper_dies_is_one_row(system: System) -> None:
    """What nobody can read is set aside twice, by the worker and by the projections."""
    system.crashing("projections", "dead-letters.kept", **QUICK).wait_ready()
    system.worker(**QUICK)
    publish(system, b"not an envelope")
    system.wait(lambda: system.crashed("dead-letters.kept"))
    system.projections(**QUICK)

    publish(system, b"not one either")

    system.wait(lambda: len(system.dead_letters(body=b"not one either")) == 2)
    queues = [letter["queue"] for letter in system.dead_letters(body=b"not an envelope")]
    assert sorted(queues) == ["batchtask.projections", "batchtask.tasks"]


def test_every_signal_point_stands_in_the_table() -> None:
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    in_code = {point for source in sources for point in re.findall(r'reached\("([\w.-]+)"\)', source)}
    page = (ROOT / "docs" / "crashes.md").read_text()
    described = set(re.findall(r"^\| `([\w.-]+)` \|", page, re.MULTILINE))

    assert {case.point for case in CASES} | {*EFFECT_POINTS, *ELSEWHERE} == in_code
    assert described == in_code


def publish(system: System, body: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(system.amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(delivery_mode=2, message_id=uuid4().hex)
        channel.basic_publish("batchtask.commands", "submit", body, properties, mandatory=True)
