"""Submissions with one deduplication key are one task, and the first one counts: also for whoever runs it."""

from __future__ import annotations

from datetime import timedelta

from batchtask.events import AttemptStarted, TaskSubmitted
from batchtask.identifiers import TaskId, keyed_task_id, new_task_id
from batchtask.outcomes import Succeeded
from batchtask.store import EventStore, first_event
from tests.desks import BEGAN, Desks, claim_request, command, kinds
from tests.system import System
from worker.lease import Lease, Refused


def shared_id() -> TaskId:
    """An id that several submissions may carry."""
    return keyed_task_id(str(new_task_id()))


def test_the_task_runs_with_what_was_submitted_first_whichever_message_is_claimed(store: EventStore) -> None:
    task_id = shared_id()
    first, second = (command(task_id, parameters={"click": number}, owner=number) for number in (1, 2))
    store.append_many([], ensure=[first_event(first)])

    lease = Desks(store).lease(second)

    assert (lease.command.parameters, lease.command.owner) == ({"click": 1}, 1)
    assert (lease.attempt, lease.version) == (1, 1)


def test_of_two_messages_that_nobody_recorded_the_one_claimed_first_counts(store: EventStore) -> None:
    task_id = shared_id()
    requests = [
        claim_request(command(task_id, parameters={"click": number}), f"message {number}") for number in (1, 2)
    ]

    lease, refused = Desks(store).journal.write(requests)

    assert isinstance(lease, Lease)
    assert lease.command.parameters == {"click": 1}
    assert refused == Refused("duplicate", [])
    assert kinds(store.load(task_id)) == ["TaskSubmitted", "AttemptStarted"]


def test_a_second_click_for_now_does_not_start_what_the_first_wanted_later(store: EventStore) -> None:
    task_id = shared_id()
    store.append_many([], ensure=[first_event(command(task_id, start_at=BEGAN + timedelta(days=1)))])

    assert Desks(store).claim(command(task_id)) == Refused("waiting", store.load(task_id))
    assert kinds(store.load(task_id)) == ["TaskSubmitted"]


def test_a_second_click_after_the_end_changes_nothing(store: EventStore) -> None:
    desks, task_id = Desks(store), shared_id()
    desks.record(desks.lease(command(task_id)), Succeeded())

    assert desks.claim(command(task_id), "m2") == Refused("finished", store.load(task_id))


def test_a_message_about_another_task_with_the_same_id_is_dropped(store: EventStore) -> None:
    task_id = shared_id()
    store.append_many([], ensure=[first_event(command(task_id, name="first"))])

    assert Desks(store).claim(command(task_id, name="second")) == Refused("another task", [])


def test_many_that_are_claimed_together_each_run_with_what_was_submitted_first(store: EventStore) -> None:
    ids = [shared_id() for _ in range(5)]
    store.append_many([], ensure=[first_event(command(task_id, parameters={"click": 1})) for task_id in ids])
    desks, second = Desks(store), [command(task_id, parameters={"click": 2}) for task_id in ids]
    desks.lease(second[0], "held already")
    requests = [claim_request(wanted, f"m{number}") for number, wanted in enumerate([*second, second[1]])]

    duplicate, *leases, twice = desks.journal.write(requests)

    assert duplicate == twice == Refused("duplicate", [])
    assert [lease.command.parameters for lease in leases if isinstance(lease, Lease)] == [{"click": 1}] * 4


def test_a_double_click_runs_once_with_what_its_stream_says(system: System) -> None:
    """Clicked before anybody works: several processes get the messages, and any of them may be recorded first."""
    clicked = {}
    for number in range(20):
        for click in ("one", "other"):
            path = str(system.directory / f"{number}-{click}")
            clicked[number] = system.producer.submit("append", {"path": path}, deduplication_key=f"form {number}")

    system.projections()
    for _ in range(2):
        system.worker()
    system.wait_all_finished(clicked.values(), seconds=30)
    system.wait_finished(system.producer.submit("noop"))

    for number, task_id in clicked.items():
        submitted, started, _ = system.history(task_id)
        assert isinstance(submitted, TaskSubmitted)
        assert isinstance(started, AttemptStarted)
        effects = list(system.directory.glob(f"{number}-*"))
        assert [str(path) for path in effects] == [submitted.parameters["path"]]
        assert effects[0].read_text() == f"{task_id}\n"
