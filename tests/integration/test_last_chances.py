"""A claim that would be a task's last chance is granted only to whoever runs it alone, and writes nothing before."""

from __future__ import annotations

import pytest

from batchtask.events import AttemptLost, AttemptStarted, TaskDeferred
from batchtask.intentions import RequestCancel
from batchtask.messages import SubmitTask
from batchtask.outcomes import Lost
from batchtask.store import EventStore
from tests.desks import Desks, claim_request, command, kinds, somebody_decides
from worker.journal import Answer
from worker.lease import LastChance, Lease, Refused


def lost_twice(store: EventStore) -> SubmitTask:
    """A task whose message comes back from a dead worker for the second time."""
    wanted = command()
    Desks(store, "first").lease(wanted)
    Desks(store, "second").lease(wanted, redelivered=True)
    return wanted


def claimed(store: EventStore, wanted: SubmitTask, **more: object) -> Answer | Exception:
    [answer] = Desks(store, "third").journal.write([claim_request(wanted, redelivered=True, **more)])
    return answer


def test_the_last_chance_is_not_granted_beside_others_and_nothing_is_written(store: EventStore) -> None:
    wanted = lost_twice(store)
    before = store.load(wanted.id)

    assert claimed(store, wanted) == LastChance()
    assert store.load(wanted.id) == before


def test_it_is_granted_to_whoever_runs_it_alone(store: EventStore) -> None:
    wanted = lost_twice(store)

    lease = claimed(store, wanted, alone=True)

    assert isinstance(lease, Lease)
    assert (lease.attempt, lease.fence) == (3, 3)


def test_whoever_dies_while_it_waits_for_solitude_costs_the_task_nothing(store: EventStore) -> None:
    wanted = lost_twice(store)
    for _ in range(5):
        assert claimed(store, wanted) == LastChance()

    assert isinstance(claimed(store, wanted, alone=True), Lease)


def test_what_cannot_run_alone_in_time_waits_in_the_stream(store: EventStore) -> None:
    wanted = lost_twice(store)

    refused = claimed(store, wanted, unable="crowded")

    assert isinstance(refused, Refused)
    lost, deferred = (event.body for event in store.load(wanted.id)[-2:])
    assert lost == AttemptLost(fence=2)
    assert isinstance(deferred, TaskDeferred)


def test_a_wish_to_cancel_that_comes_meanwhile_ends_the_task_without_another_attempt(store: EventStore) -> None:
    wanted = lost_twice(store)
    assert claimed(store, wanted) == LastChance()
    somebody_decides(store, wanted.id, RequestCancel(requested_by=7, reason=""))

    assert isinstance(claimed(store, wanted), Refused)
    assert kinds(store.load(wanted.id))[-2:] == ["AttemptLost", "TaskCancelled"]


@pytest.mark.parametrize("others", [0, 3])
def test_others_that_are_claimed_at_the_same_moment_are_granted(others: int, store: EventStore) -> None:
    desk = Desks(store, "third").journal
    last = [claim_request(lost_twice(store), redelivered=True) for _ in range(2)]
    fresh = [claim_request(command(), f"n{number}") for number in range(others)]

    answers = desk.write([*last, *fresh])

    assert answers[:2] == [LastChance(), LastChance()]
    assert all(isinstance(answer, Lease) for answer in answers[2:])


def test_a_task_that_kills_only_its_own_process_may_have_company(store: EventStore) -> None:
    wanted = command()
    desks = Desks(store)
    for _ in range(2):
        desks.record(desks.lease(wanted), Lost(detail="SIGKILL"))

    lease = desks.lease(wanted)

    assert isinstance(lease.news[-1].body, AttemptStarted)
    assert lease.attempt == 3
