"""The aggregate: claims, outcomes and signs of life. Waiting: test_task_waiting; cancelling: test_task_cancelling."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    Event,
    HeartbeatRecorded,
    PassCompleted,
    ProgressReported,
    RetryScheduled,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.intentions import (
    AlreadyFinished,
    Claim,
    FenceIsOld,
    HeldByAnother,
    Intention,
    RecordOutcome,
    Refusal,
    Reject,
    Report,
    RequestCancel,
)
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
from batchtask.retrying import UNLIMITED, RetryPolicy
from batchtask.task import decide, outcome_events
from tests.histories import AT, state_after

SUBMITTED = TaskSubmitted(name="noop", owner=7)
STARTED = AttemptStarted(attempt=1, fence=1, worker="w1", delivery_id="d1")
WISH = CancelRequested(requested_by=7)
LOST = AttemptLost(fence=1)
LOST_ALONE = AttemptLost(fence=1, worker_survived=True)

QUEUED = [SUBMITTED]
RUNNING = [SUBMITTED, STARTED]
STOPPING = [SUBMITTED, STARTED, WISH]
INTERRUPTED_STOPPING = [*STOPPING, AttemptInterrupted(fence=1)]
SUCCEEDED = [*RUNNING, TaskSucceeded(fence=1)]
FAILED = [*RUNNING, TaskFailed(cause=Cause.ERROR, message="no")]
CANCELLED = [SUBMITTED, WISH, TaskCancelled(requested_by=7)]

NEW = Claim(at=AT, worker="w2", delivery_id="d2", redelivered=False, deadline_at=None)
COPY_REDELIVERED = Claim(at=AT, worker="w2", delivery_id="d2", redelivered=True, deadline_at=None)
SAME = Claim(at=AT, worker="w2", delivery_id="d1", redelivered=False, deadline_at=None)
SAME_REDELIVERED = Claim(at=AT, worker="w2", delivery_id="d1", redelivered=True, deadline_at=AT)
PROGRESS = Report(fence=1, event=ProgressReported(fence=1, percent=5))
CANCEL = RequestCancel(requested_by=9, reason="changed my mind")
REJECT = Reject(message="unknown task")


LEASE = Claim(
    at=AT,
    worker="w2",
    delivery_id="d2",
    redelivered=False,
    deadline_at=None,
    held=False,
    lease_seconds=90,
    lost_attempts=-1,
)
#: The attempt of RUNNING, but for a lease, and with a budget of one attempt whose process may die.
LEASED = [SUBMITTED, msgspec.structs.replace(STARTED, held=False, lost_attempts=2)]

POLICY = RetryPolicy(
    attempts=3, time_limit_attempts=2, memory_attempts=2, first_delay_seconds=10, factor=2, jitter=0.5
)
IN_10_S, IN_20_S = AT + timedelta(seconds=10), AT + timedelta(seconds=20)
TIMED_OUT = "The task ran longer than its limit of 1.5 s and was stopped."
OUT_OF_MEMORY = "The task took more memory than its limit of 64 MB and was stopped."


def start(attempt: int, fence: int, claim: Claim) -> AttemptStarted:
    return AttemptStarted(
        attempt=attempt, fence=fence, worker="w2", delivery_id=claim.delivery_id, deadline_at=claim.deadline_at
    )


def ended(outcome: Outcome, fence: int = 1, **more: Any) -> RecordOutcome:
    return RecordOutcome(fence=fence, outcome=outcome, at=AT, **more)


def failed(cause: Cause, message: str = "no", fence: int = 1) -> AttemptFailed:
    return AttemptFailed(fence=fence, cause=cause, message=message)


def retry(due_at: datetime, cause: Cause, failures: int) -> RetryScheduled:
    return RetryScheduled(due_at=due_at, cause=cause, failures=failures)


def again(*tries: Event) -> list[Event]:
    """A task that is tried once more after each of the ends given."""
    history: list[Event] = [SUBMITTED]
    for fence, end in enumerate(tries, 1):
        history += [start(fence, fence, NEW), end, retry(AT, Cause.ERROR, 0)]
    return [*history, start(len(tries) + 1, len(tries) + 1, NEW)]


@pytest.mark.parametrize(
    ("history", "intention", "events"),
    [
        # A claim.
        (QUEUED, NEW, [start(1, 1, NEW)]),
        (QUEUED, SAME_REDELIVERED, [start(1, 1, SAME_REDELIVERED)]),
        (RUNNING, SAME_REDELIVERED, [LOST, start(2, 2, SAME_REDELIVERED)]),
        (STOPPING, SAME_REDELIVERED, [LOST, TaskCancelled(requested_by=7)]),
        (INTERRUPTED_STOPPING, NEW, [TaskCancelled(requested_by=7)]),
        ([*RUNNING, AttemptInterrupted(fence=1)], NEW, [start(1, 2, NEW)]),
        ([*RUNNING, LOST], NEW, [start(2, 2, NEW)]),
        # The outcome of the attempt that holds the task.
        (
            RUNNING,
            ended(Succeeded(response="ok", file_name="f")),
            [TaskSucceeded(fence=1, response="ok", file_name="f")],
        ),
        (
            RUNNING,
            ended(Failed(message="no", detail="trace")),
            [
                AttemptFailed(fence=1, cause=Cause.ERROR, message="no", detail="trace"),
                TaskFailed(cause=Cause.ERROR, message="no"),
            ],
        ),
        (
            RUNNING,
            ended(TimedOut(limit_seconds=1.5)),
            [
                AttemptTimedOut(fence=1, limit_seconds=1.5),
                TaskFailed(cause=Cause.TIME_LIMIT, message=TIMED_OUT),
            ],
        ),
        (RUNNING, ended(Interrupted(reason="shutdown")), [AttemptInterrupted(fence=1, reason="shutdown")]),
        (
            RUNNING,
            ended(Lost(detail="signal 9")),
            [AttemptLost(fence=1, detail="signal 9", worker_survived=True)],
        ),
        # Tried again: each cause has a budget of its own, and pauses of its own.
        (
            RUNNING,
            ended(Failed(message="no", retry=True), policy=POLICY),
            [failed(Cause.ERROR), retry(IN_10_S, Cause.ERROR, 1)],
        ),
        (
            again(failed(Cause.ERROR)),
            ended(Failed(message="no", retry=True), fence=2, policy=POLICY, chance=0.5),
            [failed(Cause.ERROR, fence=2), retry(AT + timedelta(seconds=15), Cause.ERROR, 2)],
        ),
        (
            again(failed(Cause.ERROR), failed(Cause.ERROR)),
            ended(Failed(message="no", retry=True), fence=3, policy=POLICY),
            [failed(Cause.ERROR, fence=3), TaskFailed(cause=Cause.ERROR, message="no")],
        ),
        (
            again(failed(Cause.MEMORY), AttemptTimedOut(fence=2, limit_seconds=1.5), AttemptLost(fence=3)),
            ended(Failed(message="no", retry=True), fence=4, policy=POLICY),
            [failed(Cause.ERROR, fence=4), retry(IN_10_S, Cause.ERROR, 1)],
        ),
        (
            RUNNING,
            ended(Failed(message="no"), policy=POLICY),
            [failed(Cause.ERROR), TaskFailed(cause=Cause.ERROR, message="no")],
        ),
        (
            RUNNING,
            ended(TimedOut(limit_seconds=1.5), policy=POLICY),
            [AttemptTimedOut(fence=1, limit_seconds=1.5), retry(IN_10_S, Cause.TIME_LIMIT, 1)],
        ),
        (
            again(AttemptTimedOut(fence=1, limit_seconds=1.5)),
            ended(TimedOut(limit_seconds=1.5), fence=2, policy=POLICY),
            [
                AttemptTimedOut(fence=2, limit_seconds=1.5),
                TaskFailed(cause=Cause.TIME_LIMIT, message=TIMED_OUT),
            ],
        ),
        (
            again(failed(Cause.ERROR)),
            ended(OutOfMemory(limit_mb=64), fence=2, policy=POLICY),
            [failed(Cause.MEMORY, OUT_OF_MEMORY, fence=2), retry(IN_10_S, Cause.MEMORY, 1)],
        ),
        (
            RUNNING,
            ended(OutOfMemory(limit_mb=64)),
            [failed(Cause.MEMORY, OUT_OF_MEMORY), TaskFailed(cause=Cause.MEMORY, message=OUT_OF_MEMORY)],
        ),
        # Called later: uses no attempt.
        (
            RUNNING,
            ended(Snoozed(seconds=20, reason="closed")),
            [AttemptSnoozed(fence=1, due_at=IN_20_S, reason="closed")],
        ),
        ([*RUNNING, AttemptSnoozed(fence=1, due_at=AT), TaskReleased()], NEW, [start(1, 2, NEW)]),
        (RUNNING, ended(Passed(response="12")), [PassCompleted(fence=1, due_at=AT, response="12")]),
        (RUNNING, ended(Passed(), pause_until=IN_20_S), [PassCompleted(fence=1, due_at=IN_20_S)]),
        (
            [*again(failed(Cause.ERROR)), PassCompleted(fence=2, due_at=AT), TaskReleased()],
            NEW,
            [start(1, 3, NEW)],
        ),
        # A lease: nobody holds a message, so what goes on must be published anew.
        (
            QUEUED,
            LEASE,
            [
                AttemptStarted(
                    attempt=1, fence=1, worker="w2", delivery_id="d2", held=False, lease_seconds=90, lost_attempts=-1
                )
            ],
        ),
        (
            LEASED,
            ended(Interrupted(reason="shutdown"), loses_message=True),
            [AttemptInterrupted(fence=1, reason="shutdown"), TaskDeferred(due_at=AT, reason="shutdown")],
        ),
        (LEASED, ended(Lost(), loses_message=True), [LOST_ALONE, retry(AT, Cause.LOST_WORKER, 1)]),
        ([*LEASED, WISH], ended(Lost(), loses_message=True), [LOST_ALONE, TaskCancelled(requested_by=7)]),
        (STOPPING, ended(Cancelled(response="half")), [TaskCancelled(requested_by=7, response="half")]),
        (STOPPING, ended(Succeeded()), [TaskSucceeded(fence=1)]),
        (RUNNING, ended(Cancelled()), [TaskCancelled(requested_by=0)]),
        # A sign of life.
        (RUNNING, PROGRESS, [ProgressReported(fence=1, percent=5)]),
        (STOPPING, Report(fence=1, event=HeartbeatRecorded(fence=1)), [HeartbeatRecorded(fence=1)]),
        # A wish to cancel.
        (
            QUEUED,
            CANCEL,
            [CancelRequested(requested_by=9, reason="changed my mind"), TaskCancelled(requested_by=9)],
        ),
        (RUNNING, CANCEL, [CancelRequested(requested_by=9, reason="changed my mind")]),
        (STOPPING, CANCEL, []),
        # No worker can run it.
        (QUEUED, REJECT, [TaskFailed(cause=Cause.REJECTED, message="unknown task")]),
    ],
)
def test_what_follows_from_an_intention(history: list[Event], intention: Intention, events: list[Event]) -> None:
    assert decide(state_after(history), intention) == events


@pytest.mark.parametrize(
    ("history", "intention", "refusal"),
    [
        (RUNNING, NEW, HeldByAnother),
        (RUNNING, REJECT, HeldByAnother),
        (RUNNING, COPY_REDELIVERED, HeldByAnother),
        (RUNNING, SAME, HeldByAnother),
        (LEASED, NEW, HeldByAnother),
        (LEASED, SAME_REDELIVERED, HeldByAnother),
        (QUEUED, ended(Succeeded()), FenceIsOld),
        (QUEUED, PROGRESS, FenceIsOld),
        (RUNNING, ended(Succeeded(), fence=0), FenceIsOld),
        (RUNNING, ended(Lost(), fence=2), FenceIsOld),
        (RUNNING, Report(fence=2, event=HeartbeatRecorded(fence=2)), FenceIsOld),
        ([*RUNNING, LOST], ended(Succeeded()), FenceIsOld),
        *(
            (history, intention, refusal)
            for history in (SUCCEEDED, FAILED, CANCELLED)
            for intention, refusal in (
                (NEW, AlreadyFinished),
                (SAME_REDELIVERED, AlreadyFinished),
                (CANCEL, AlreadyFinished),
                (REJECT, AlreadyFinished),
                (ended(Succeeded()), FenceIsOld),
                (ended(Lost()), FenceIsOld),
                (PROGRESS, FenceIsOld),
            )
        ),
    ],
)
def test_what_is_refused(history: list[Event], intention: Intention, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        decide(state_after(history), intention)


def test_a_task_that_loses_its_process_three_times_is_stopped_for_good() -> None:
    history: list[Event] = [SUBMITTED]
    for _ in range(2):
        history += decide(state_after(history), NEW)
        history += decide(state_after(history), ended(Lost(), fence=state_after(history).fence))
    history += decide(state_after(history), NEW)

    [lost, failed] = decide(state_after(history), COPY_REDELIVERED)
    assert isinstance(lost, AttemptLost)
    assert isinstance(failed, TaskFailed)
    assert failed.cause is Cause.LOST_WORKER


@pytest.mark.parametrize(("budget", "ends_at"), [(1, 1), (2, 2), (5, 5), (UNLIMITED, None)])
def test_how_many_processes_a_task_may_kill_was_said_when_the_attempt_began(budget: int, ends_at: int | None) -> None:
    claim = replace(NEW, lost_attempts=budget)
    history: list[Event] = [SUBMITTED]
    for times in range(1, 8):
        history += decide(state_after(history), claim)
        history += decide(state_after(history), ended(Lost(), fence=times))
        if state_after(history).phase.finished:
            assert times == ends_at
            return
    assert ends_at is None


def test_neither_errors_nor_interruptions_use_the_budget_for_lost_processes() -> None:
    tries = again(*(failed(Cause.ERROR, fence=fence) for fence in range(1, 6)))
    assert decide(state_after(tries), ended(Lost(), fence=6)) == [AttemptLost(fence=6, worker_survived=True)]


#: Outcomes of which the state decides what follows, and two states in which it differs.
@pytest.mark.parametrize(
    ("record", "one", "other"),
    [
        (ended(Lost()), RUNNING, [*RUNNING[:1], msgspec.structs.replace(STARTED, lost_attempts=1)]),
        (ended(Cancelled()), RUNNING, STOPPING),
        (ended(TimedOut(limit_seconds=1)), RUNNING, STOPPING),
        (ended(OutOfMemory(limit_mb=1)), RUNNING, STOPPING),
        (ended(Failed(message="no", retry=True), policy=POLICY), RUNNING, STOPPING),
    ],
)
def test_an_outcome_that_depends_on_the_state_is_not_told_without_it(
    record: RecordOutcome, one: list[Event], other: list[Event]
) -> None:
    assert outcome_events(record) is None
    assert decide(state_after(one), record) != decide(state_after(other), record)


@pytest.mark.parametrize(
    "record",
    [
        ended(Succeeded(response="done")),
        ended(Failed(message="no", detail="trace")),
        ended(Failed(message="no"), policy=POLICY),
        ended(Failed(message="no", retry=True)),
        ended(Snoozed(seconds=1)),
        ended(Passed()),
        ended(Interrupted()),
        ended(Interrupted(), loses_message=True),
    ],
)
@pytest.mark.parametrize("history", [RUNNING, LEASED], ids=["held", "leased"])
def test_any_other_outcome_means_the_same_whatever_happened_before(
    record: RecordOutcome, history: list[Event]
) -> None:
    expected = outcome_events(record)
    assert expected is not None
    assert decide(state_after(history), record) == expected
    tried = again(failed(Cause.ERROR), AttemptLost(fence=2))
    assert decide(state_after(tried), replace(record, fence=3)) == outcome_events(replace(record, fence=3))
