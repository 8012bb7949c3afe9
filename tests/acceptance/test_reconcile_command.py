"""`batchtask reconcile` says where every task is, and its exit code says whether that was true before."""

from __future__ import annotations

import pika

from batchtask.events import TaskDeferred
from batchtask.store import first_event
from batchtask.topology import TASKS_QUEUE
from tests.command_line import Answer, batchtask
from tests.desks import command
from tests.system import System

SOUND, DRIFT = 0, 5


def reconcile(system: System, *options: str) -> Answer:
    return batchtask(system, "reconcile", *options, reconcile_seconds=0.1)


def test_a_sound_system_is_told_to_be_sound(running: System) -> None:
    running.wait_finished(running.producer.submit("noop"))
    answer = reconcile(running)
    assert (answer.code, answer.complaint) == (SOUND, "")
    assert "Nothing to repair." in answer.text


def test_drift_is_told_by_a_dry_run_and_repaired_once(system: System) -> None:
    lost = command()
    system.store.append_many([], ensure=[first_event(lost)])

    for options, code in ((["--dry-run"], DRIFT), ([], DRIFT), ([], SOUND)):
        assert reconcile(system, *options).code == code
    row = system.row(lost.id)
    assert row is not None
    assert row["version"] == 0


def test_a_message_that_vanished_is_found_once_the_queue_is_empty(system: System) -> None:
    task_id = system.producer.submit("noop")
    assert reconcile(system, "--json").json["queued"] == 0  # only the broker knows of it
    projections = system.projections(reconcile_seconds=600)
    system.wait(lambda: system.row(task_id))
    projections.kill()

    # What was queued a moment ago is not looked at: its message may be on its way.
    system.wait(lambda: reconcile(system, "--json").json["unproved"] == 1)
    with pika.BlockingConnection(pika.URLParameters(system.amqp_url)) as connection:
        connection.channel().queue_purge(TASKS_QUEUE.name)
    found = reconcile(system, "--json")

    assert found.code == DRIFT
    assert [repair["fault"] for repair in found.json["repairs"]] == ["message-gone"]
    assert isinstance(system.history(task_id)[-1], TaskDeferred)
    system.projections()
    system.worker()
    assert system.wait_finished(task_id)["startcount"] == 1
