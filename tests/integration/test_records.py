"""What attempts say about themselves reaches the stream under their fence, once, or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchtask.errors import LeaseLost, StoreUnavailable
from batchtask.events import (
    AttemptFailed,
    AttemptLost,
    AttemptTimedOut,
    CancelNoticed,
    CancelRequested,
    HeartbeatRecorded,
    ProgressReported,
    RetryScheduled,
    TaskCancelled,
    TaskFailed,
    TaskSucceeded,
)
from batchtask.intentions import Expire, RecordOutcome, Report, RequestCancel, Survive
from batchtask.outcomes import (
    Cancelled,
    Cause,
    Failed,
    Interrupted,
    Lost,
    Outcome,
    OutOfMemory,
    Passed,
    Snoozed,
    Succeeded,
    TimedOut,
)
from batchtask.retrying import RetryPolicy
from batchtask.store import EventStore
from batchtask.task_state import Phase
from tests.desks import (
    BEGAN,
    AnswersLost,
    Desks,
    ReadsBreak,
    bodies,
    claim_request,
    command,
    kinds,
    release,
    somebody_decides,
)
from worker.lease import Lease
from worker.records import Recorded, RecordRequest

OUTCOMES: list[Outcome] = [
    Succeeded(response="done"),
    Failed(message="no", detail="traceback"),
    TimedOut(limit_seconds=1.5),
    Cancelled(response="half"),
    Interrupted(reason="told to stop"),
    Lost(detail="SIGKILL"),
    OutOfMemory(limit_mb=64),
    Failed(message="no", retry=True),
    Snoozed(seconds=60, reason="closed at night"),
    Passed(response="12 mails"),
    Cancelled(forced=True),
]
EVERY_OUTCOME = pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)


@pytest.mark.parametrize(
    ("outcome", "events"),
    [
        (Succeeded(response="done", file_name="f"), [TaskSucceeded(fence=1, response="done", file_name="f")]),
        (
            Failed(message="no", detail="traceback"),
            [
                AttemptFailed(fence=1, cause=Cause.ERROR, message="no", detail="traceback"),
                TaskFailed(cause=Cause.ERROR, message="no"),
            ],
        ),
        (
            TimedOut(limit_seconds=1.5),
            [
                AttemptTimedOut(fence=1, limit_seconds=1.5),
                TaskFailed(
                    cause=Cause.TIME_LIMIT, message="The task ran longer than its limit of 1.5 s and was stopped."
                ),
            ],
        ),
        (Cancelled(response="half"), [TaskCancelled(requested_by=0, response="half")]),
        (Lost(detail="SIGKILL"), [AttemptLost(fence=1, detail="SIGKILL", worker_survived=True)]),
    ],
)
def test_an_outcome_is_recorded_behind_what_was_there(
    outcome: Outcome, events: list[object], store: EventStore
) -> None:
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)

    recorded = desks.record(lease, outcome)

    assert bodies(recorded.news) == events
    assert store.load(wanted.id)[2:] == recorded.news


@pytest.mark.parametrize("newer_first", [True, False])
@EVERY_OUTCOME
def test_an_old_lease_records_nothing_in_one_batch_with_a_newer_one_of_the_same_worker(
    outcome: Outcome, newer_first: bool, store: EventStore
) -> None:
    """A worker that was slow is taken for dead, gets its task again, and has both attempts at once."""
    desks, wanted = Desks(store), command()
    old = desks.lease(wanted)
    somebody_decides(store, wanted.id, Expire(fence=old.fence, at=BEGAN, detail="nothing was heard"))
    waited = store.state(wanted.id).version
    release(store, wanted.id)
    new = desks.lease(wanted, "m2", release=waited)
    batch = [
        RecordRequest(new, Report(fence=new.fence, event=HeartbeatRecorded(fence=new.fence))),
        RecordRequest(old, RecordOutcome(fence=old.fence, outcome=outcome, at=BEGAN)),
    ]
    before = store.load(wanted.id)

    answers = desks.journal.write(batch if newer_first else batch[::-1])

    assert sorted(type(answer).__name__ for answer in answers) == ["LeaseLost", "Recorded"]
    assert bodies(store.load(wanted.id)) == [*bodies(before), HeartbeatRecorded(fence=new.fence)]


@EVERY_OUTCOME
def test_an_outcome_of_an_old_lease_is_refused_and_leaves_no_trace(outcome: Outcome, store: EventStore) -> None:
    wanted = command()
    zombie = Desks(store, "zombie")
    old = zombie.lease(wanted)
    new = Desks(store, "new").lease(wanted, redelivered=True)
    before = store.load(wanted.id)

    with pytest.raises(LeaseLost):
        zombie.record(old, outcome)

    assert store.load(wanted.id) == before
    Desks(store, "new").record(new, Succeeded())


@EVERY_OUTCOME
def test_whoever_says_that_it_survived_records_no_outcome_under_the_lease_of_another(
    outcome: Outcome, store: EventStore
) -> None:
    """A heartbeat finds the lease lost and says so, and at that moment the task code ends by itself."""
    slow, wanted = Desks(store, "slow"), command()
    old = slow.lease(wanted)
    new = Desks(store, "new").lease(wanted, redelivered=True)
    [survived] = slow.journal.write([RecordRequest(old, Survive(fence=old.fence))])
    assert isinstance(survived, Recorded)
    before = store.load(wanted.id)

    with pytest.raises(LeaseLost):
        slow.record(old, outcome)

    assert store.load(wanted.id) == before
    Desks(store, "new").record(new, Succeeded())


@EVERY_OUTCOME
def test_an_outcome_after_the_end_is_refused(outcome: Outcome, store: EventStore) -> None:
    wanted = command()
    zombie = Desks(store, "zombie")
    old = zombie.lease(wanted)
    new = Desks(store, "new")
    new.record(new.lease(wanted, redelivered=True), Succeeded(response="of the new one"))

    with pytest.raises(LeaseLost):
        zombie.record(old, outcome)


@EVERY_OUTCOME
def test_recording_again_after_a_lost_answer_finds_what_is_there(outcome: Outcome, store: EventStore) -> None:
    wanted = command()
    lease = Desks(store).lease(wanted)
    with pytest.raises(StoreUnavailable):
        Desks(AnswersLost(store)).record(lease, outcome)
    after = store.load(wanted.id)
    assert len(after) > 2

    recorded = Desks(store).record(lease, outcome)

    assert store.load(wanted.id) == after
    assert recorded.news == after[2:]


@EVERY_OUTCOME
def test_recording_again_finds_it_also_between_wishes_of_others(outcome: Outcome, store: EventStore) -> None:
    wanted = command()
    lease = Desks(store).lease(wanted)
    Desks(store).report(lease, Report(fence=1, event=ProgressReported(fence=1, percent=5)))
    somebody_decides(store, wanted.id, RequestCancel(requested_by=7, reason=""))
    with pytest.raises(StoreUnavailable):
        Desks(AnswersLost(store)).record(lease, outcome)
    after = store.load(wanted.id)
    assert len(after) > 4

    recorded = Desks(store).record(lease, outcome)

    assert store.load(wanted.id) == after
    assert recorded.news[-1] == after[-1]


def test_a_whole_batch_can_be_recorded_again(store: EventStore) -> None:
    """The database may go away behind the first of two, and both are repeated."""
    first, second = command(), command()
    desks = Desks(store)
    leases = [desks.lease(first), desks.lease(second)]
    requests = [
        outcome_request(leases[0], Cancelled()),
        outcome_request(leases[1], Lost(detail="SIGKILL")),
    ]
    with pytest.raises(StoreUnavailable):
        Desks(AnswersLost(store, after=1)).journal.write(requests)
    assert kinds(store.load(first.id))[-1] == "TaskCancelled"
    assert kinds(store.load(second.id))[-1] == "AttemptLost"

    answers = desks.journal.write(requests)

    assert [kinds(answer.news) for answer in answers if isinstance(answer, Recorded)] == [
        ["TaskCancelled"],
        ["AttemptLost"],
    ]


@EVERY_OUTCOME
def test_an_outcome_is_in_the_stream_once_although_a_claim_beside_it_was_not_answered(
    outcome: Outcome, store: EventStore
) -> None:
    wanted, beside = command(), command()
    Desks(store, "another").lease(beside, "m2")
    breaks = ReadsBreak(store)
    journal = Desks(breaks).journal
    lease = Desks(store).lease(wanted)
    requests = [RecordRequest(lease, RecordOutcome(fence=1, outcome=outcome, at=BEGAN)), claim_request(beside)]
    breaks.armed = True
    with pytest.raises(StoreUnavailable):
        journal.write(requests)
    before = store.load(wanted.id)

    recorded, _ = journal.write(requests)

    assert isinstance(recorded, Recorded)
    if len(before) == 2:  # what has to be read first was not written
        assert store.load(wanted.id)[2:] == recorded.news
    else:
        assert store.load(wanted.id) == before
        assert recorded.news == before[2:]


def test_the_third_lost_process_ends_the_task(store: EventStore) -> None:
    desks, wanted = Desks(store), command()
    for _ in range(2):
        assert not desks.record(desks.lease(wanted), Lost(detail="SIGKILL")).finished

    recorded = desks.record(desks.lease(wanted), Lost(detail="SIGKILL"))

    assert recorded.finished
    assert kinds(recorded.news) == ["AttemptLost", "TaskFailed"]


def test_a_report_tells_of_a_wish_to_cancel(store: EventStore) -> None:
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    beat = Report(fence=1, event=HeartbeatRecorded(fence=1))
    assert not desks.report(lease, beat).cancel_requested
    somebody_decides(store, wanted.id, RequestCancel(requested_by=7, reason="enough"))

    assert desks.report(lease, beat).cancel_requested

    desks.record(lease, Cancelled())
    assert bodies(store.load(wanted.id))[2:] == [
        HeartbeatRecorded(fence=1),
        CancelRequested(requested_by=7, reason="enough"),
        HeartbeatRecorded(fence=1),
        TaskCancelled(requested_by=7),
    ]


def test_a_wish_that_was_read_and_not_answered_is_told_with_the_next_report(store: EventStore) -> None:
    """The lease is past the wish by then, and the append in no conflict."""
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    beat = Report(fence=1, event=HeartbeatRecorded(fence=1))
    somebody_decides(store, wanted.id, RequestCancel(requested_by=7, reason="enough", force=True))
    desks.report(lease, beat)

    again = desks.report(lease, beat)

    assert (again.cancel_requested, again.cancel_forced) == (True, True)


def test_a_report_of_an_old_lease_is_refused(store: EventStore) -> None:
    wanted = command()
    old = Desks(store, "zombie").lease(wanted)
    Desks(store, "new").lease(wanted, redelivered=True)

    with pytest.raises(LeaseLost):
        Desks(store, "zombie").report(old, Report(fence=1, event=ProgressReported(fence=1, percent=99)))


def test_a_stream_that_is_gone_means_a_lost_lease(store: EventStore) -> None:
    lease = Lease(command(), attempt=1, fence=1, version=1, news=[], limit_seconds=None)

    with pytest.raises(LeaseLost):
        Desks(store).record(lease, Succeeded())


def test_reports_and_the_outcome_of_one_attempt_may_come_together(store: EventStore) -> None:
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    reports = [Report(fence=1, event=ProgressReported(fence=1, percent=percent)) for percent in (10, 20)]
    requests = [*(RecordRequest(lease, report) for report in reports), outcome_request(lease, Succeeded())]

    desks.journal.write(requests)

    assert kinds(store.load(wanted.id))[2:] == ["ProgressReported", "ProgressReported", "TaskSucceeded"]


def test_a_heartbeat_that_comes_after_the_outcome_does_not_follow_the_end(store: EventStore) -> None:
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    late = Report(fence=1, event=HeartbeatRecorded(fence=1))

    recorded, refused = desks.journal.write([outcome_request(lease, Succeeded()), RecordRequest(lease, late)])
    with pytest.raises(LeaseLost):
        desks.report(lease, late)

    assert isinstance(recorded, Recorded)
    assert isinstance(refused, LeaseLost)
    assert kinds(store.load(wanted.id))[-1] == "TaskSucceeded"


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (Failed(message="no", retry=True), Cause.ERROR),
        (TimedOut(limit_seconds=1.5), Cause.TIME_LIMIT),
        (OutOfMemory(limit_mb=64), Cause.MEMORY),
    ],
    ids=lambda value: getattr(value, "value", type(value).__name__),
)
def test_a_failure_is_followed_by_another_try_until_its_budget_is_used(
    outcome: Outcome, cause: Cause, store: EventStore
) -> None:
    policy = RetryPolicy(attempts=3, time_limit_attempts=3, memory_attempts=3, first_delay_seconds=10, factor=3)
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    due: list[object] = []
    for failures in (1, 2):
        recorded = desks.record(lease, outcome, policy=policy, chance=0.5)
        assert not recorded.finished
        scheduled = recorded.news[-1].body
        assert isinstance(scheduled, RetryScheduled)
        assert (scheduled.cause, scheduled.failures) == (cause, failures)
        due.append(scheduled.due_at - BEGAN)
        lease = desks.lease(wanted, f"m{failures}", release=store.state(wanted.id).version)
        assert lease.attempt == failures + 1

    recorded = desks.record(lease, outcome, policy=policy)

    assert due == [timedelta(seconds=9), timedelta(seconds=27)]
    assert isinstance(recorded.news[-1].body, TaskFailed)
    assert recorded.news[-1].body.cause is cause


def test_a_retry_recorded_again_after_a_lost_answer_has_the_same_pause(store: EventStore) -> None:
    wanted = command()
    lease = Desks(store).lease(wanted)
    policy = RetryPolicy(attempts=2, jitter=1)
    with pytest.raises(StoreUnavailable):
        Desks(AnswersLost(store)).record(lease, Failed(message="no", retry=True), policy=policy, chance=0.25)
    after = store.load(wanted.id)

    recorded = Desks(store).record(lease, Failed(message="no", retry=True), policy=policy, chance=0.25)

    assert (store.load(wanted.id), recorded.news) == (after, after[2:])
    assert kinds(recorded.news) == ["AttemptFailed", "RetryScheduled"]


@pytest.mark.parametrize(
    ("outcome", "events"),
    [
        (Interrupted(), ["AttemptInterrupted", "TaskDeferred"]),
        (Lost(detail="SIGKILL"), ["AttemptLost", "RetryScheduled"]),
        (Snoozed(seconds=60), ["AttemptSnoozed"]),
        (Passed(), ["PassCompleted"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_leased_task_that_goes_on_waits_to_be_published_again(
    outcome: Outcome, events: list[str], store: EventStore
) -> None:
    desks, wanted = Desks(store), command()

    recorded = desks.record(desks.lease(wanted, held=False), outcome, loses_message=True)

    assert kinds(recorded.news) == events
    assert store.state(wanted.id).phase is Phase.WAITING
    assert desks.lease(wanted, "m2", release=store.state(wanted.id).version).fence == 2


@pytest.mark.parametrize(
    "outcome", [Interrupted(), Snoozed(seconds=60), Passed()], ids=lambda one: type(one).__name__
)
@pytest.mark.parametrize("heard", [True, False], ids=["heard", "not heard"])
def test_what_would_go_on_ends_when_somebody_asked_for_a_stop(
    outcome: Outcome, heard: bool, store: EventStore
) -> None:
    """Also when a report of before took the lease past the wish, so that the append would be in no conflict."""
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    somebody_decides(store, wanted.id, RequestCancel(requested_by=7, reason="enough"))
    if heard:
        assert desks.report(lease, Report(fence=1, event=CancelNoticed(fence=1))).cancel_requested

    recorded = desks.record(lease, outcome)

    assert recorded.finished
    assert recorded.news[-1].body == TaskCancelled(requested_by=7)


def test_a_report_tells_of_a_wish_that_became_one_by_force(store: EventStore) -> None:
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted)
    beat = Report(fence=1, event=HeartbeatRecorded(fence=1))
    somebody_decides(store, wanted.id, RequestCancel(requested_by=7, reason="enough"))
    assert not desks.report(lease, beat).cancel_forced
    somebody_decides(store, wanted.id, RequestCancel(requested_by=7, reason="enough", force=True))

    assert desks.report(lease, beat).cancel_forced

    recorded = desks.record(lease, Cancelled(forced=True))
    assert bodies(recorded.news) == [TaskCancelled(requested_by=7, forced=True)]


def test_an_attempt_that_was_silent_for_too_long_can_record_nothing_more(store: EventStore) -> None:
    """It lives after all: its host was frozen, or the database was away for it alone."""
    desks, wanted = Desks(store), command()
    lease = desks.lease(wanted, held=False)
    somebody_decides(store, wanted.id, Expire(fence=1, at=BEGAN, detail="silent for 180 s"))
    before = store.load(wanted.id)

    with pytest.raises(LeaseLost):
        desks.record(lease, Succeeded())
    with pytest.raises(LeaseLost):
        desks.report(lease, Report(fence=1, event=HeartbeatRecorded(fence=1)))

    assert store.load(wanted.id) == before


def outcome_request(lease: Lease, outcome: Outcome) -> RecordRequest:
    return RecordRequest(lease, RecordOutcome(fence=lease.fence, outcome=outcome, at=BEGAN))
