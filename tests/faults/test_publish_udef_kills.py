"""Publishing that is killed at each of its steps, in real processes: all or nothing, and the flag always goes."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from batchtask.identifiers import TaskId, new_task_id
from batchtask.udef.fields import FieldType
from batchtask.udef.publishing import is_publishing, submitting
from producer.task_request import TaskRequest
from projections.rows import State
from tests.system import Part, System
from tests.udef_support import LIVE, Udefs, holding, waiting

ANSWER = "5 fields published for company: 1 added, 1 moved, 1 removed; 80 values kept, 20 set aside."
WAS = [{"Points": n, "Group": f"G{n}", "Share": n / 4, "Notes": "Ω", "Old": n} for n in range(20)]
IS = [{"Points": str(n), "Group": f"G{n}", "Share": n / 4, "Notes": "Ω", "New": None} for n in range(20)]

#: A statement of another session that makes the task stand still at a step, in the order of the steps.
STEPS = {
    "taking the flag": "LOCK TABLE crm7.systemevent IN EXCLUSIVE MODE",
    "reading the draft": "SELECT pg_advisory_xact_lock(7243, 7)",
    "locking the draft": "UPDATE crm7.udeffield SET tooltip = tooltip",
    "locking the values": "UPDATE crm7.udcontactsmall SET long60 = long60",
    "setting aside": "LOCK TABLE batchtask.udef_former_value IN SHARE MODE",
    "writing the definitions": "LOCK TABLE crm7.udeffield IN SHARE MODE",
    "flipping the version": "UPDATE crm7.userpreference SET prefvalue = prefvalue WHERE prefkey LIKE 'Current%'",
}


@pytest.fixture
def udefs(system: System) -> Udefs:
    udefs = Udefs(system.engine)
    udefs.define({**LIVE, "Old": (FieldType.NUMBER, "long05")})
    udefs.fill(WAS)
    udefs.edit("Points", fieldtype=FieldType.SHORT_TEXT, indexed=0)
    udefs.remove("Old")
    udefs.add("New", FieldType.DECIMAL)
    udefs.start()
    return udefs


def claimed(udefs: Udefs) -> TaskId:
    """Begin as the web tier does for `Publish`: the flag is given to the task that will be submitted."""
    task_id = new_task_id()
    with udefs.engine.begin() as connection:
        assert submitting(connection, udefs.owner, task_id)
    return task_id


def submit(system: System, task_id: TaskId) -> None:
    request = TaskRequest(name="publish-udef", parameters={"owner": "contact"}, task_id=task_id)
    system.producer.submit_many([request])


def publish(system: System, udefs: Udefs) -> TaskId:
    task_id = claimed(udefs)
    submit(system, task_id)
    return task_id


def wait_blocked(system: System, task_id: TaskId, *, attempt: int = 1) -> None:
    """Wait until an attempt stands still at the step that the test holds."""
    system.wait(lambda: len(system.attempts(task_id)) == attempt and waiting(system.engine), seconds=60)


def ready(system: System, **settings: object) -> Part:
    worker = system.worker(max_tasks=2, **settings)
    system.projections(reconcile_seconds=1)
    worker.wait_ready()
    return worker


def flag_stands(udefs: Udefs) -> bool:
    with udefs.engine.connect() as connection:
        return is_publishing(connection, udefs.owner)


def flag_rows(udefs: Udefs) -> int:
    with udefs.engine.connect() as connection:
        query = "SELECT (SELECT count(*) FROM crm7.systemevent) + (SELECT count(*) FROM batchtask.task_flag)"
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_nothing_has_happened_and_the_next_attempt_does_it_all(
    system: System, udefs: Udefs, step: str
) -> None:
    worker, before = ready(system), udefs.dump()
    task_id = claimed(udefs)
    with holding(system.engine, STEPS[step]):
        submit(system, task_id)
        wait_blocked(system, task_id)
        worker.kill_children()
        system.wait(lambda: len(system.attempts(task_id)) == 2, seconds=60)
        assert udefs.dump() == before
        assert flag_stands(udefs)
    row = system.wait_finished(task_id, seconds=60)

    assert (row["state"], row["response"]) == (State.Succeeded, ANSWER)
    assert udefs.seen() == IS
    assert not flag_stands(udefs)
    system.wait(lambda: flag_rows(udefs) == 0)


@pytest.mark.parametrize("point", ["checkpoint.appended", "checkpoint.committed"])
def test_killed_around_the_commit_it_is_done_once(system: System, udefs: Udefs, point: str) -> None:
    worker = system.crashing("worker", point, max_tasks=2)
    system.projections(reconcile_seconds=1)
    worker.wait_ready()
    row = system.wait_finished(publish(system, udefs), seconds=60)

    assert system.crashed(point)
    assert (row["state"], row["response"]) == (State.Succeeded, ANSWER)
    assert udefs.seen() == IS


def test_the_flag_goes_when_no_attempt_is_left_and_publishing_can_be_started_again(
    system: System, udefs: Udefs
) -> None:
    worker, before = ready(system), udefs.dump()
    with holding(system.engine, STEPS["setting aside"]):
        task_id = publish(system, udefs)
        for attempt in (1, 2, 3):
            wait_blocked(system, task_id, attempt=attempt)
            worker.kill_children()
        assert system.wait_finished(task_id, seconds=60)["state"] == State.Failed
    assert udefs.dump() == before
    assert not flag_stands(udefs)
    system.wait(lambda: flag_rows(udefs) == 0)

    udefs.start()
    assert system.wait_finished(publish(system, udefs), seconds=60)["response"] == ANSWER


def test_the_flag_stands_while_everything_is_down_and_the_task_goes_on_afterwards(
    system: System, udefs: Udefs
) -> None:
    ready(system)
    with holding(system.engine, STEPS["setting aside"]):
        task_id = publish(system, udefs)
        wait_blocked(system, task_id)
        for part in system.parts:
            part.kill()
        assert flag_stands(udefs)
    ready(system)
    assert system.wait_finished(task_id, seconds=60)["response"] == ANSWER
    assert udefs.seen() == IS


def test_a_cancel_releases_the_flag_and_leaves_everything_as_it_was(system: System, udefs: Udefs) -> None:
    ready(system)
    before = udefs.dump()
    with holding(system.engine, STEPS["locking the values"]):
        task_id = publish(system, udefs)
        wait_blocked(system, task_id)
        system.producer.cancel(task_id, requested_by=1)
        row = system.wait_finished(task_id, seconds=60)
    assert row["response"].startswith("Stopped on request.")
    assert udefs.dump() == before
    assert not flag_stands(udefs)


def test_a_refusal_is_one_sentence_for_the_user_and_releases_the_flag(system: System, udefs: Udefs) -> None:
    with system.engine.begin() as connection:
        connection.execute(text("UPDATE crm7.udeffield SET readonly = 1, mandatory = 1 WHERE fieldlabel = 'Group'"))
    ready(system)
    row = system.wait_finished(publish(system, udefs), seconds=60)
    assert (row["state"], row["response"]) == (
        State.Failed, "The field 'Group' cannot be both mandatory and read-only: choose one.",
    )  # fmt: skip
    assert not flag_stands(udefs)
    system.wait(lambda: flag_rows(udefs) == 0)
