"""Wishes to cancel on the whole system: each stops what it was meant for, whatever died or came late."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import UTC, datetime

import pika
import pytest

from batchtask.events import (
    AttemptStarted,
    CancelNoticed,
    CancelRefused,
    CancelRequested,
    Event,
    HeartbeatRecorded,
    TaskCancelled,
    TaskSubmitted,
)
from batchtask.identifiers import TaskId
from batchtask.intentions import Replay, RequestCancel
from batchtask.topology import CONTROL
from projections.rows import State
from tests.desks import somebody_decides
from tests.system import System, untimed

HELD = {"task_timeout": 600}  # every task has a limit, so that its message is held


def test_a_queued_task_ends_at_once(system: System) -> None:
    system.projections()
    task_id = system.submit_traced("append")

    system.producer.cancel(task_id, requested_by=7)

    system.wait_finished(task_id)
    assert ends(system, task_id) == [CancelRequested(requested_by=7), TaskCancelled(requested_by=7)]
    system.worker(**HELD)
    following = system.submit_traced("append")
    system.wait_finished(following)
    assert not system.trace(task_id).exists()


def test_a_running_task_stops_at_its_next_safe_point(system: System) -> None:
    system.worker(**HELD)
    system.projections()
    task_id = system.submit_traced("gate")
    system.wait_started(task_id)

    system.producer.cancel(task_id, requested_by=7)

    system.wait_finished(task_id)
    assert ends(system, task_id) == [
        CancelRequested(requested_by=7),
        CancelNoticed(fence=1),
        TaskCancelled(requested_by=7),
    ]


def test_a_task_that_does_not_listen_is_killed_by_force_only(system: System) -> None:
    system.worker(**HELD)
    system.projections()
    task_id = system.submit_traced("deaf")
    system.wait_started(task_id)
    system.producer.cancel(task_id, requested_by=7)
    system.wait(lambda: CancelNoticed(fence=1) in system.history(task_id))
    assert system.row(task_id)["state"] not in {State.Succeeded, State.Failed}  # type: ignore[index]

    system.producer.cancel(task_id, requested_by=8, force=True)

    system.wait_finished(task_id)
    assert ends(system, task_id) == [
        CancelRequested(requested_by=7),
        CancelNoticed(fence=1),
        CancelRequested(requested_by=8, force=True),
        TaskCancelled(requested_by=8, forced=True),
    ]


def test_a_wish_whose_projections_died_before_settling_it_does_not_stop_the_replayed_task(system: System) -> None:
    first = system.projections()
    task_id = system.submit_traced("append")
    system.wait(lambda: system.row(task_id))
    first.terminate()
    assert first.exit_code() == 0
    dying = system.crashing("projections", "projections.applied")
    system.producer.cancel(task_id, requested_by=7)
    assert dying.exit_code() == -signal.SIGKILL
    somebody_decides(system.store, task_id, Replay(requested_by=7, at=datetime.now(UTC)))

    system.projections()  # gets the wish again, and releases the task
    system.worker(**HELD)

    system.wait(lambda: system.states()[task_id] is State.Succeeded)
    assert Counter(map(type, system.history(task_id)))[CancelRequested] == 1


@pytest.mark.parametrize("force", [False, True], ids=["wish", "by force"])
def test_a_hint_that_is_late_stops_nothing(force: bool, system: System) -> None:
    """As of a projections process that was frozen before it told of a wish, while the task was replayed."""
    system.worker(**HELD)
    system.projections()
    task_id = system.submit_traced("gate")
    system.wait_started(task_id)

    hint(system, task_id, force=force)

    system.wait(lambda: HeartbeatRecorded(fence=1) in system.history(task_id))  # the hint was heard
    assert CancelNoticed(fence=1) not in system.history(task_id)
    system.open_gates(task_id)
    assert system.wait_finished(task_id)["state"] == State.Succeeded


def test_a_late_hint_that_comes_before_the_claim_is_answered_stops_nothing_either(system: System) -> None:
    worker = system.freezing("worker", "journal.written", **HELD)
    system.projections()
    task_id = system.submit_traced("gate")
    system.wait(lambda: system.crashed("journal.written"))

    hint(system, task_id, force=True)
    worker.send_signals(signal.SIGCONT)

    system.wait(lambda: HeartbeatRecorded(fence=1) in system.history(task_id))
    system.open_gates(task_id)
    assert system.wait_finished(task_id)["state"] == State.Succeeded


@pytest.mark.parametrize(("name", "force"), [("gate", False), ("deaf", True)], ids=["wish", "by force"])
def test_a_wish_that_comes_before_the_claim_is_answered_is_heard(name: str, force: bool, system: System) -> None:
    worker = system.freezing("worker", "journal.written", **HELD)
    system.projections()
    task_id = system.submit_traced(name)
    system.wait(lambda: system.crashed("journal.written"))

    system.producer.cancel(task_id, requested_by=7, force=force)
    system.wait(lambda: any(isinstance(event, CancelRequested) for event in system.history(task_id)))
    hint(system, task_id, force=force)  # or the one of the projections: surely before the worker goes on
    worker.send_signals(signal.SIGCONT)

    system.wait_finished(task_id)
    assert system.history(task_id)[-1] == TaskCancelled(requested_by=7, forced=force)


def test_a_task_that_cannot_be_cancelled_says_so_unless_it_is_forced(system: System) -> None:
    system.worker(**HELD)
    system.projections()
    task_id = system.submit_traced("unstoppable")
    system.wait_started(task_id)
    system.producer.cancel(task_id, requested_by=7, reason="too slow")
    refused = CancelRefused(requested_by=7, reason="too slow")
    system.wait(lambda: refused in system.history(task_id))
    assert CancelNoticed(fence=1) not in system.history(task_id)

    system.producer.cancel(task_id, requested_by=7, force=True)

    system.wait_finished(task_id)
    assert ends(system, task_id)[-1] == TaskCancelled(requested_by=7, forced=True)


def test_a_wish_survives_that_everything_restarts(system: System) -> None:
    worker, projections = system.worker(**HELD), system.projections()
    task_id = system.submit_traced("deaf")
    system.wait_started(task_id)
    system.producer.cancel(task_id, requested_by=7)
    system.wait(lambda: CancelNoticed(fence=1) in system.history(task_id))

    projections.kill()
    worker.kill()
    system.projections()
    system.worker(**HELD)

    row = system.wait_finished(task_id)
    assert row["state"] == State.Failed
    assert ends(system, task_id)[-1] == TaskCancelled(requested_by=7)
    assert len(system.attempts(task_id)) == 1


def test_a_wish_made_while_no_projections_run_counts_when_they_are_back(system: System) -> None:
    system.worker(**HELD)
    projections = system.projections()
    task_id = system.submit_traced("deaf")
    system.wait_started(task_id)
    projections.kill()
    system.producer.cancel(task_id, requested_by=7, force=True)

    system.projections()

    system.wait_finished(task_id)
    assert ends(system, task_id)[-1] == TaskCancelled(requested_by=7, forced=True)


def test_a_wish_that_the_worker_did_not_hear_of_is_found_by_its_heartbeat(system: System) -> None:
    system.worker(heartbeat_seconds=0.5, lease_seconds=10, **HELD)
    system.projections()
    task_id = system.submit_traced("deaf")
    system.wait_started(task_id)

    somebody_decides(system.store, task_id, RequestCancel(requested_by=7, reason="", force=True))

    system.wait_finished(task_id)
    assert ends(system, task_id)[-1] == TaskCancelled(requested_by=7, forced=True)


def ends(system: System, task_id: TaskId) -> list[Event]:
    """What happened after the attempts began, signs of life apart."""
    beside = (TaskSubmitted, AttemptStarted, HeartbeatRecorded)
    return [event for event in untimed(system.history(task_id)) if not isinstance(event, beside)]


def hint(system: System, task_id: TaskId, *, force: bool) -> None:
    """Tell the workers, as a projections process does, that somebody wants a task to stop."""
    with pika.BlockingConnection(pika.URLParameters(system.amqp_url)) as connection:
        body = f"{task_id} force" if force else str(task_id)
        connection.channel().basic_publish(CONTROL.name, "", body.encode(), pika.BasicProperties(type="cancel"))
