"""From a submission to the row that the user sees, through processes as they run in production."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from functools import partial

import pika
import psutil

from batchtask.envelope import encode_command
from batchtask.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptTimedOut,
    CancelNoticed,
    CancelRequested,
    HeartbeatRecorded,
    TaskCancelled,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.identifiers import new_task_id
from batchtask.messages import SubmitTask
from batchtask.outcomes import Cause
from projections.rows import State
from tests.system import System, untimed


def test_every_column_of_a_finished_task_says_what_was_submitted_and_what_came_of_it(running: System) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    task_id = running.producer.submit(
        "sleep",
        {"seconds": "0.01", "steps": 1, "response": "slept well"},
        owner=17,
        description="Sleep for a while",
        request="sleep!",
        database_tag="crm",
        details_table=5,
        details_record=4711,
    )

    row = running.wait_finished(task_id)

    after = datetime.now(UTC) + timedelta(seconds=1)
    assert row.pop("batchtask_id") > 0
    assert row.pop("batchtaskdefinition_id") > 0
    assert before < row.pop("registered") < row.pop("updated") < after
    assert row.pop("laststarted").tzinfo is None
    assert row == {
        "name": "sleep",
        "description": "Sleep for a while",
        "dbtag": "crm",
        "state": State.Succeeded,
        "detailstable": 5,
        "detailsrecord": 4711,
        "request": "sleep!",
        "response": "slept well",
        "startcount": 1,
        "progresspercent": 100,
        "progressdescription": "",
        "registered_associate_id": 17,
        "updated_associate_id": 17,
        "updatedcount": row["version"],
        "filename": None,
        "task_id": task_id,
        "version": row["version"],
        "due_at": None,
        "stopping": False,
    }


def test_a_task_submitted_twice_with_one_id_runs_once(running: System) -> None:
    task_id = running.submit_traced("append")
    running.wait_finished(task_id)

    running.producer.submit("append", {"path": str(running.trace(task_id)), "seconds": 1}, task_id=task_id)
    running.wait_finished(running.producer.submit("noop"))

    assert running.trace(task_id).read_text() == f"{task_id}\n"
    assert [type(event) for event in running.history(task_id)] == [TaskSubmitted, AttemptStarted, TaskSucceeded]


def test_an_error_in_task_code_fails_the_task_and_keeps_the_traceback_for_the_operator(running: System) -> None:
    task_id = running.producer.submit("raise")

    row = running.wait_finished(task_id)

    assert row["state"] == State.Failed
    assert row["response"].startswith("The task stopped because of an error in its program (KeyError")
    *_, attempt_failed, task_failed = running.history(task_id)
    assert isinstance(attempt_failed, AttemptFailed)
    assert "raise KeyError" in attempt_failed.detail
    assert isinstance(task_failed, TaskFailed)


def test_an_expected_failure_is_told_in_the_words_of_the_task(running: System) -> None:
    row = running.wait_finished(running.producer.submit("refuse"))

    assert (row["state"], row["response"]) == (State.Failed, "The selection is empty: add members to it.")


def test_a_task_that_no_worker_knows_waits_for_one_that_does(running: System) -> None:
    command = SubmitTask(task_id=new_task_id(), name="of-another-release", submitted_at=datetime.now(UTC))
    publish(running, encode_command(command, source="/test"))

    running.wait(lambda: (running.row(command.id) or {}).get("due_at"))

    row = running.row(command.id)
    assert row is not None
    assert (row["state"], row["name"], row["startcount"]) == (State.New, "of-another-release", 0)
    assert "a worker that knows the task 'of-another-release'" in row["progressdescription"]
    assert row["due_at"] > row["registered"]
    assert running.dead_letters(task_id=command.task_id) == []


def test_poison_is_kept_with_its_reason_and_the_next_task_runs(running: System) -> None:
    poison = [
        b"",
        b"\xff\x00 no JSON",
        b'{"specversion": "1.0"}',
        b"[" * 100_000,
        wrapped(b'{"task_id": 7}'),
        wrapped(b'{"a":' * 100_000 + b"0" + b"}" * 100_000),
        wrapped(b'{"task_id": "019a0000-0000-7000-8000-000000000000", "name": "noop", "submitted_at": "now"}'),
    ]
    for body in poison:
        publish(running, body)
    publish(running, b"strange id", message_id="nul \0 in it")

    running.wait_finished(running.producer.submit("noop"))

    for body in [*poison, b"strange id"]:
        # The worker and the projections each got a copy.
        running.wait(partial(kept_twice, running, body))
        assert all(letter["reason"] for letter in running.dead_letters(body=body))


def test_a_task_that_runs_too_long_is_killed_with_all_it_started(running: System) -> None:
    task_id = running.submit_traced("stuck")

    row = running.wait_finished(task_id)

    assert (row["state"], row["startcount"]) == (State.Failed, 1)
    assert row["response"] == "The task ran longer than its limit of 1 s and was stopped."
    *_, timed_out, failed = running.history(task_id)
    assert isinstance(timed_out, AttemptTimedOut)
    assert isinstance(failed, TaskFailed)
    assert failed.cause is Cause.TIME_LIMIT
    sleeper = int(running.trace(task_id).read_text())
    running.wait(lambda: not runs(sleeper))


def test_a_running_task_stops_when_asked_to(running: System) -> None:
    task_id = running.submit_traced("gate")
    running.wait_started(task_id)

    for _ in range(2):
        running.producer.cancel(task_id, requested_by=5, reason="changed my mind")

    row = running.wait_finished(task_id)
    assert (row["state"], row["response"]) == (State.Failed, "Stopped on request.")
    told = [event for event in untimed(running.history(task_id)) if not isinstance(event, HeartbeatRecorded)]
    *_, wish, noticed, end = told
    assert wish == CancelRequested(requested_by=5, reason="changed my mind")
    assert noticed == CancelNoticed(fence=1)
    assert end == TaskCancelled(requested_by=5)


def test_a_task_cancelled_at_once_never_stays_half_cancelled(system: System) -> None:
    """Whoever gets the wish first: the submission it belongs to may be in other hands."""
    for _ in range(2):
        system.projections().wait_ready()
    ids = []
    for _ in range(50):
        ids.append(system.producer.submit("noop"))
        system.producer.cancel(ids[-1], requested_by=5)

    system.wait_all_finished(ids, seconds=20)

    assert {type(system.history(task_id)[-1]) for task_id in ids} == {TaskCancelled}
    assert system.dead_letters() == []


def test_a_waiting_task_that_was_cancelled_never_runs(system: System) -> None:
    system.projections()
    task_id = system.submit_traced("append")
    system.producer.cancel(task_id, requested_by=5)
    assert system.wait_finished(task_id)["response"] == "Stopped on request."

    system.worker()
    system.wait_finished(system.producer.submit("noop"))

    assert not system.trace(task_id).exists()
    assert [type(event) for event in system.history(task_id)] == [TaskSubmitted, CancelRequested, TaskCancelled]


def test_a_task_that_kills_its_process_runs_again_and_fails_for_good_the_third_time(running: System) -> None:
    survivor = running.submit_traced("die", times=2)
    killer = running.submit_traced("die", times=100)

    assert running.wait_finished(survivor)["response"] == "survived"
    row = running.wait_finished(killer)

    assert (row["state"], row["startcount"]) == (State.Failed, 3)
    lost = [event for event in running.history(killer) if isinstance(event, AttemptLost)]
    assert [event.fence for event in lost] == [1, 2, 3]
    assert {event.detail for event in lost} == {"the process was ended by SIGKILL"}


def test_log_lines_and_odd_text_are_kept_as_far_as_the_database_can(running: System) -> None:
    task_id = running.producer.submit("talk")

    row = running.wait_finished(task_id)

    assert row["filename"] == "/files/?.pdf"
    assert row["response"].startswith("done � with ?!!!")
    assert (len(row["response"]), row["response"][-1]) == (254, "…")
    running.wait(lambda: running.log_lines(task_id))
    assert running.log_lines(task_id) == [(20, "reading the list"), (40, "a bad � line ?")]


def test_a_worker_that_is_told_to_stop_finishes_what_runs_and_takes_nothing_more(system: System) -> None:
    worker = system.worker(max_tasks=1)
    system.projections()
    running, waiting = system.submit_traced("gate"), system.submit_traced("append")
    system.wait_started(running)

    worker.terminate()
    system.wait(lambda: "worker draining" in worker.output)
    system.open_gates(running)

    assert worker.exit_code() == 0
    assert system.wait_finished(running)["response"] == "went through"
    assert system.attempts(waiting) == []

    system.worker()
    system.wait_finished(waiting)
    assert [event.attempt for event in system.attempts(waiting)] == [1]


def test_a_task_interrupted_by_the_end_of_the_drain_runs_again_without_using_up_an_attempt(system: System) -> None:
    first = system.worker(drain_seconds=0.2)
    system.projections()
    task_id = system.submit_traced("gate")
    system.wait_started(task_id)

    first.terminate()

    assert first.exit_code() == 0
    second = system.worker()
    system.wait_started(task_id, attempts=2)
    second.send_signals(signal.SIGTERM, signal.SIGINT)
    assert second.exit_code() == 0
    system.worker()
    system.wait_started(task_id, attempts=3)
    system.open_gates(task_id)
    row = system.wait_finished(task_id)
    assert row["state"] == State.Succeeded
    assert [event.attempt for event in system.attempts(task_id)] == [1, 1, 1]
    assert [event.fence for event in system.attempts(task_id)] == [1, 2, 3]


def test_projections_that_are_told_to_stop_end_in_good_order(system: System) -> None:
    projections = system.projections()
    projections.wait_ready()

    projections.terminate()

    assert projections.exit_code() == 0


def kept_twice(system: System, body: bytes) -> bool:
    return len(system.dead_letters(body=body)) == 2


def wrapped(data: bytes) -> bytes:
    head = b'{"specversion": "1.0", "id": "1", "type": "batchtask.SubmitTask.v1", "source": "/test", "subject": "x",'
    return head + b'"time": "2026-01-01T00:00:00Z", "data":' + data + b"}"


def publish(system: System, body: bytes, *, message_id: str = "") -> None:
    """Publish as a stranger would, who knows only exchange and routing key."""
    with pika.BlockingConnection(pika.URLParameters(system.amqp_url)) as connection:
        properties = pika.BasicProperties(message_id=message_id or None, delivery_mode=2)
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("batchtask.commands", "submit", body, properties, mandatory=True)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
