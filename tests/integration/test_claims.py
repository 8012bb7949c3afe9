"""Who may work on a task: the claim decides, from the stream alone."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from batchtask.errors import StoreUnavailable
from batchtask.events import (
    AttemptLost,
    AttemptStarted,
    ProgressReported,
    TaskCancelled,
    TaskFailed,
)
from batchtask.intentions import RecordOutcome, Report, RequestCancel
from batchtask.outcomes import Cause, Failed, Interrupted, Lost, Succeeded
from batchtask.store import EventStore, first_event
from tests.desks import BEGAN, AnswersLost, Desks, bodies, claim_request, command, kinds, somebody_decides
from worker.journal import Answer
from worker.lease import Lease, Refused
from worker.records import Recorded, RecordRequest

LATER = BEGAN + timedelta(hours=1)


def test_first_claim_of_an_unrecorded_task_records_it_and_is_granted(store: EventStore) -> None:
    wanted = command()

    lease = Desks(store).lease(wanted)

    assert (lease.attempt, lease.fence, lease.version) == (1, 1, 1)
    assert kinds(store.load(wanted.id)) == ["TaskSubmitted", "AttemptStarted"]
    assert store.load(wanted.id)[0] == first_event(wanted)


def test_first_claim_of_a_recorded_task_is_granted(store: EventStore) -> None:
    wanted = command()
    store.append_many([], ensure=[first_event(wanted)])

    assert Desks(store).lease(wanted).news == store.load(wanted.id)[1:]


def test_a_hard_limit_becomes_the_deadline_in_the_stream(store: EventStore) -> None:
    wanted = command()
    desk = Desks(store).journal

    desk.write([claim_request(wanted, limit_seconds=90)])

    started = store.load(wanted.id)[1]
    assert isinstance(started.body, AttemptStarted)
    assert started.body.deadline_at == started.occurred_at + timedelta(seconds=90)


def test_another_message_for_a_running_task_is_refused_as_a_duplicate(store: EventStore) -> None:
    wanted = command()
    Desks(store, "first").lease(wanted, "m1")

    for redelivered in (False, True):
        refused = Desks(store, "second").claim(wanted, "m2", redelivered=redelivered)
        assert refused == Refused("duplicate", [])


def test_the_same_message_not_redelivered_proves_nothing(store: EventStore) -> None:
    wanted = command()
    Desks(store, "first").lease(wanted, "m1")

    assert Desks(store, "second").claim(wanted, "m1") == Refused("duplicate", [])


def test_the_redelivered_message_takes_over_with_a_higher_fence(store: EventStore) -> None:
    wanted = command()
    Desks(store, "first").lease(wanted, "m1")

    lease = Desks(store, "second").lease(wanted, "m1", redelivered=True)

    assert (lease.attempt, lease.fence) == (2, 2)
    assert kinds(lease.news) == ["AttemptLost", "AttemptStarted"]


def test_a_redelivery_that_the_broker_took_back_meanwhile_proves_nothing(store: EventStore) -> None:
    """Its worker was cut off from broker and database, and claims when the message is long in other hands."""
    wanted = command()
    Desks(store, "live").lease(wanted, "m1", redelivered=True)

    refused = Desks(store, "late").claim(wanted, "m1", redelivered=True, in_hand=lambda: False)

    assert refused == Refused("duplicate", [])


def test_the_third_lost_attempt_ends_the_task(store: EventStore) -> None:
    wanted = command()
    desks = Desks(store, "first")
    desks.lease(wanted)
    for worker in ("second", "third"):
        Desks(store, worker).lease(wanted, redelivered=True, alone=True)

    refused = Desks(store, "fourth").claim(wanted, redelivered=True)

    assert isinstance(refused, Refused)
    assert refused.news == store.load(wanted.id)
    lost, failed = bodies(refused.news)[-2:]
    assert lost == AttemptLost(fence=3)
    assert isinstance(failed, TaskFailed)
    assert failed.cause is Cause.LOST_WORKER


def test_a_task_cancelled_before_its_start_ends_at_the_claim(store: EventStore) -> None:
    wanted = command()
    first = Desks(store, "first").lease(wanted)
    somebody_decides(store, wanted.id, RequestCancel(requested_by=5, reason=""))
    Desks(store).record(first, Interrupted())

    refused = Desks(store, "second").claim(wanted, "m2")

    assert isinstance(refused, Refused)
    assert refused.news == store.load(wanted.id)
    assert refused.news[-1].body == TaskCancelled(requested_by=5)


@pytest.mark.parametrize("redelivered", [False, True])
def test_a_finished_task_is_refused_with_all_its_news(redelivered: bool, store: EventStore) -> None:
    wanted = command()
    desks = Desks(store)
    desks.record(desks.lease(wanted), Succeeded(response="done"))

    refused = desks.claim(wanted, redelivered=redelivered)

    assert refused == Refused("finished", store.load(wanted.id))


def test_an_interrupted_attempt_is_not_counted(store: EventStore) -> None:
    wanted = command()
    desks = Desks(store)
    desks.record(desks.lease(wanted), Interrupted())

    lease = desks.lease(wanted, "m2")

    assert (lease.attempt, lease.fence) == (1, 2)


def test_our_own_claim_is_granted_when_its_answer_was_lost(store: EventStore) -> None:
    wanted = command()
    desk, request = Desks(AnswersLost(store), "ours").journal, claim_request(wanted)
    with pytest.raises(StoreUnavailable):
        desk.write([request])

    [lease] = desk.write([request])

    assert isinstance(lease, Lease)
    assert (lease.attempt, lease.fence, lease.version) == (1, 1, 1)
    assert lease.news == store.load(wanted.id)


def test_a_claim_whose_answer_was_lost_knows_of_a_wish_that_followed_it(store: EventStore) -> None:
    wanted = command()
    desk, request = Desks(AnswersLost(store), "ours").journal, claim_request(wanted)
    with pytest.raises(StoreUnavailable):
        desk.write([request])
    somebody_decides(store, wanted.id, RequestCancel(requested_by=5, reason="", force=True))

    [lease] = desk.write([request])

    assert isinstance(lease, Lease)
    assert (lease.cancel_requested, lease.cancel_forced) == (True, True)


def test_our_own_takeover_is_not_charged_twice_when_its_answer_was_lost(store: EventStore) -> None:
    wanted = command()
    Desks(store, "dead").lease(wanted)
    desk, request = Desks(AnswersLost(store), "ours").journal, claim_request(wanted, redelivered=True)
    with pytest.raises(StoreUnavailable):
        desk.write([request])

    [lease] = desk.write([request])

    assert isinstance(lease, Lease)
    assert (lease.attempt, lease.fence) == (2, 2)
    assert kinds(store.load(wanted.id)) == ["TaskSubmitted", "AttemptStarted", "AttemptLost", "AttemptStarted"]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_a_copy_with_the_very_same_id_is_no_second_lease_of_what_the_worker_runs_already(
    together: bool, store: EventStore
) -> None:
    """A foreign publisher, or a broker's plugin, may put the same message into the queue twice."""
    desk, wanted = Desks(store).journal, command()
    batch = [claim_request(wanted), claim_request(wanted)]

    answers = desk.write(batch) if together else [answer for one in batch for answer in desk.write([one])]

    assert isinstance(answers[0], Lease)
    assert answers[1:] == [Refused("duplicate", [])]


def test_a_database_that_goes_away_is_no_answer_about_a_task(store: EventStore) -> None:
    """Whoever claims must try again then: an error for one task would set its message aside."""
    known, new = command(), command()
    Desks(store, "dead").lease(known)
    desk = Desks(AnswersLost(store), "ours").journal
    requests = [claim_request(new), claim_request(known, redelivered=True)]

    with pytest.raises(StoreUnavailable):
        desk.write(requests)

    leases = desk.write(requests)
    assert [lease.fence for lease in leases if isinstance(lease, Lease)] == [1, 2]


def test_many_deliveries_are_decided_at_once_each_by_itself(store: EventStore) -> None:
    new, running, finished, dead = (command() for _ in range(4))
    others = Desks(store, "other")
    others.lease(running, "theirs")
    others.lease(dead)
    others.record(others.lease(finished), Failed(message="no"))
    requests = [
        claim_request(running),
        claim_request(new),
        claim_request(new, "m2"),
        claim_request(dead, redelivered=True),
        claim_request(finished),
    ]

    answers = Desks(store).journal.write(requests)

    told = [answer.fence if isinstance(answer, Lease) else answer for answer in answers]
    assert told == [
        Refused("duplicate", []),
        1,
        Refused("duplicate", []),
        2,
        Refused("finished", store.load(finished.id)),
    ]


def test_of_two_workers_that_claim_at_once_exactly_one_is_granted(store: EventStore) -> None:
    wanted = [command() for _ in range(20)]
    answers: dict[str, list[Answer | Exception]] = {}
    barrier = threading.Barrier(2)

    def claim(worker: str, order: int) -> None:
        requests = [claim_request(one, message_id=worker) for one in wanted[::order]]
        barrier.wait()
        answers[worker] = Desks(store, worker).journal.write(requests)[::order]

    threads = [threading.Thread(target=claim, args=arguments) for arguments in (("a", 1), ("b", -1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for pair in zip(answers["a"], answers["b"], strict=True):
        assert sorted(type(answer).__name__ for answer in pair) == ["Lease", "Refused"]


def test_a_task_given_up_by_its_process_is_free_for_the_next_claim(store: EventStore) -> None:
    wanted = command()
    desks = Desks(store)
    desks.record(desks.lease(wanted), Lost(detail="SIGKILL"))

    lease = desks.lease(wanted)

    assert (lease.attempt, lease.fence) == (2, 2)


def test_a_claim_of_a_task_whose_outcome_is_recorded_at_that_moment_finds_it_ended(store: EventStore) -> None:
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    ended = RecordRequest(lease, RecordOutcome(fence=lease.fence, outcome=Succeeded(response="done"), at=BEGAN))

    claimed, recorded = desks.journal.write([claim_request(wanted, redelivered=True), ended])

    assert isinstance(claimed, Refused)
    assert isinstance(recorded, Recorded)
    assert kinds(store.load(wanted.id)) == ["TaskSubmitted", "AttemptStarted", "TaskSucceeded"]


def test_progress_and_outcome_of_one_moment_are_both_recorded_in_order(store: EventStore) -> None:
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    told = RecordRequest(lease, Report(fence=lease.fence, event=ProgressReported(fence=lease.fence, percent=50)))
    ended = RecordRequest(lease, RecordOutcome(fence=lease.fence, outcome=Succeeded(), at=BEGAN))

    answers = desks.journal.write([told, ended])

    assert [event.version for answer in answers if isinstance(answer, Recorded) for event in answer.news] == [2, 3]
    assert kinds(store.load(wanted.id)) == ["TaskSubmitted", "AttemptStarted", "ProgressReported", "TaskSucceeded"]
