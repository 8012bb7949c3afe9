"""What attempts say about themselves reaches the stream under their fence, once, or not at all."""

from __future__ import annotations

import pytest

from batchtask.errors import LeaseLost, StoreUnavailable
from batchtask.events import (
    AttemptFailed,
    AttemptLost,
    AttemptTimedOut,
    CancelRequested,
    HeartbeatRecorded,
    ProgressReported,
    TaskCancelled,
    TaskFailed,
    TaskSucceeded,
)
from batchtask.intentions import RecordOutcome, Report, RequestCancel
from batchtask.outcomes import Cancelled, Cause, Failed, Interrupted, Lost, Outcome, Succeeded, TimedOut
from batchtask.store import EventStore
from tests.desks import BEGAN, AnswersLost, Desks, bodies, command, kinds, somebody_decides
from worker.lease import Lease
from worker.records import Recorded, RecordRequest

OUTCOMES: list[Outcome] = [
    Succeeded(response="done"),
    Failed(message="no", detail="traceback"),
    TimedOut(limit_seconds=1.5),
    Cancelled(response="half"),
    Interrupted(reason="told to stop"),
    Lost(detail="SIGKILL"),
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
        (Lost(detail="SIGKILL"), [AttemptLost(fence=1, detail="SIGKILL")]),
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


def outcome_request(lease: Lease, outcome: Outcome) -> RecordRequest:
    return RecordRequest(lease, RecordOutcome(fence=lease.fence, outcome=outcome, at=BEGAN))
