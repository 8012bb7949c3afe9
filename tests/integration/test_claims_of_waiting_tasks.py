"""Who may work on a task that waits, that is leased, or that this worker cannot run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchtask.errors import StoreUnavailable
from batchtask.events import (
    AttemptStarted,
    CheckpointSaved,
    TaskDeferred,
)
from batchtask.intentions import Expire, Replay, RequestCancel
from batchtask.messages import SubmitTask
from batchtask.outcomes import Failed, Snoozed
from batchtask.retrying import RetryPolicy
from batchtask.store import Append, EventStore, first_event
from batchtask.task_state import resubmission
from tests.desks import BEGAN, AnswersLost, Desks, claim_request, command, kinds, release, somebody_decides
from worker.lease import Lease, Refused

LATER = BEGAN + timedelta(hours=1)


# A task that waits is taken only from the message that ends the wait.


def test_a_task_that_shall_start_later_is_recorded_and_not_granted(store: EventStore) -> None:
    wanted = command(start_at=LATER)

    refused = Desks(store).claim(wanted)

    assert refused == Refused("waiting", store.load(wanted.id))
    assert store.load(wanted.id) == [first_event(wanted)]
    assert store.state(wanted.id).due_at == LATER


def test_the_message_that_ends_the_wait_is_granted_before_and_after_the_release_is_recorded(
    store: EventStore,
) -> None:
    """The scheduler publishes first and records then: the message may be faster."""
    early, late = command(start_at=LATER), command(start_at=LATER)
    store.append_many([], ensure=[first_event(early), first_event(late)])
    release(store, late.id)

    for wanted in (early, late):
        lease = Desks(store).lease(resubmitted(store, wanted), release=0)
        assert (lease.attempt, lease.fence, lease.command.start_at) == (1, 1, None)


def test_a_message_published_twice_for_one_wait_starts_the_task_once(store: EventStore) -> None:
    wanted = command(start_at=LATER)
    store.append_many([], ensure=[first_event(wanted)])
    desks = Desks(store)
    lease = desks.lease(resubmitted(store, wanted), "m1", release=0)
    assert desks.claim(resubmitted(store, wanted), "m2", release=0) == Refused("duplicate", [])

    desks.record(lease, Snoozed(seconds=60))

    assert desks.claim(resubmitted(store, wanted), "m2", release=0) == Refused("waiting", store.load(wanted.id))
    version = store.state(wanted.id).version
    assert desks.lease(resubmitted(store, wanted), "m3", release=version).fence == 2


def test_the_first_message_cannot_start_a_task_that_waits_for_its_retry(store: EventStore) -> None:
    """The worker died between the record and the acknowledgement."""
    wanted, desks = command(), Desks(store)
    desks.record(desks.lease(wanted), Failed(message="no", retry=True), policy=RetryPolicy(attempts=2))

    refused = Desks(store, "another").claim(wanted, redelivered=True)

    assert refused == Refused("waiting", store.load(wanted.id))


def test_a_message_of_a_wait_brings_a_task_back_whose_stream_is_gone(store: EventStore) -> None:
    """The database was set back to an older backup."""
    wanted = command()
    assert Desks(store).lease(wanted, release=7).fence == 1


def test_a_replayed_task_runs_with_its_new_parameters_whatever_the_message_holds(store: EventStore) -> None:
    wanted, desks = command(parameters={"count": 1}), Desks(store)
    desks.record(desks.lease(wanted), Failed(message="no"))
    somebody_decides(store, wanted.id, Replay(requested_by=5, at=BEGAN, parameters={"count": 2}))
    version = store.state(wanted.id).version

    lease = desks.lease(wanted, "m2", release=version)

    assert (lease.command.parameters, lease.attempt, lease.fence) == ({"count": 2}, 1, 2)


def test_a_later_attempt_is_given_what_an_earlier_one_kept(store: EventStore) -> None:
    wanted = command()
    first = Desks(store, "first").lease(wanted)
    kept = CheckpointSaved(fence=1, data={"done": 4120})
    store.append(Append(wanted.id, first.version, [kept], BEGAN))

    lease = Desks(store, "second").lease(wanted, redelivered=True)

    assert (first.checkpoint, lease.checkpoint) == (None, {"done": 4120})


# A worker that cannot run it.


def test_a_task_that_this_worker_cannot_run_waits_longer_each_time(store: EventStore) -> None:
    wanted, desks = command(), Desks(store)
    pauses = []
    for _ in range(3):
        refused = desks.claim(wanted, unable="No worker knows it", release=version_of(store, wanted))
        assert isinstance(refused, Refused)
        assert refused.news == store.load(wanted.id)
        deferred = refused.news[-1]
        assert isinstance(deferred.body, TaskDeferred)
        assert deferred.body.reason == "No worker knows it"
        pauses.append((deferred.body.due_at - deferred.occurred_at).total_seconds())

    assert pauses == [5, 10, 20]
    assert desks.lease(wanted, release=version_of(store, wanted)).attempt == 1


def test_a_task_that_was_cancelled_meanwhile_ends_also_at_a_worker_that_cannot_run_it(store: EventStore) -> None:
    wanted = command()
    Desks(store, "first").lease(wanted)
    somebody_decides(store, wanted.id, RequestCancel(requested_by=5, reason=""))

    refused = Desks(store, "second").claim(wanted, redelivered=True, unable="No worker knows it")

    assert isinstance(refused, Refused)
    assert kinds(refused.news)[-2:] == ["AttemptLost", "TaskCancelled"]


# Leases: the message is acknowledged, and proves nothing.


def test_a_leased_attempt_is_not_taken_over_by_a_redelivery(store: EventStore) -> None:
    """The worker died before its acknowledgement arrived, or it lives and the acknowledgement was lost."""
    wanted = command()
    lease = Desks(store, "first").lease(wanted, held=False, lease_seconds=90, lost_attempts=5)
    assert not lease.held
    started = store.load(wanted.id)[1].body
    assert isinstance(started, AttemptStarted)
    assert (started.held, started.lease_seconds, started.lost_attempts) == (False, 90, 5)

    assert Desks(store, "second").claim(wanted, redelivered=True) == Refused("duplicate", [])

    somebody_decides(store, wanted.id, Expire(fence=1, at=BEGAN, detail="silent"))
    again = Desks(store, "second").lease(wanted, "m2", release=version_of(store, wanted), held=False)
    assert (again.attempt, again.fence) == (2, 2)


def test_the_budget_for_lost_processes_is_that_of_the_attempt_that_died(store: EventStore) -> None:
    wanted = command()
    Desks(store, "first").lease(wanted, lost_attempts=1)

    refused = Desks(store, "second").claim(wanted, redelivered=True, lost_attempts=-1)

    assert isinstance(refused, Refused)
    assert kinds(refused.news)[-2:] == ["AttemptLost", "TaskFailed"]


def test_a_claim_after_a_wish_knows_of_it_when_its_own_answer_was_lost(store: EventStore) -> None:
    wanted = command()
    desks, request = Desks(AnswersLost(store), "ours"), claim_request(wanted)
    with pytest.raises(StoreUnavailable):
        desks.journal.write([request])
    somebody_decides(store, wanted.id, RequestCancel(requested_by=5, reason=""))
    [lease] = desks.journal.write([request])
    assert isinstance(lease, Lease)

    recorded = desks.record(lease, Snoozed(seconds=60))

    assert kinds(recorded.news) == ["AttemptSnoozed", "TaskCancelled"]


def resubmitted(store: EventStore, wanted: SubmitTask) -> SubmitTask:
    return resubmission(wanted.task_id, store.state(wanted.id), BEGAN)


def version_of(store: EventStore, wanted: SubmitTask) -> int | None:
    """What the message that ends its wait says; None for a task that nobody recorded."""
    events = store.load(wanted.id)
    return events[-1].version if events else None
