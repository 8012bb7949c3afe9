"""The aggregate: a table of what follows from every intention in every phase, and what holds for any history."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask.events import (
    TERMINAL_EVENTS,
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    Event,
    HeartbeatRecorded,
    ProgressReported,
    RecordedEvent,
    TaskCancelled,
    TaskFailed,
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
from batchtask.messages import SubmitTask
from batchtask.outcomes import Cancelled, Cause, Failed, Interrupted, Lost, Outcome, Succeeded, TimedOut
from batchtask.task import decide
from batchtask.task_state import Phase, TaskState, evolve, fold, submitted

TASK = UUID("01900000-0000-7000-8000-000000000001")
AT = datetime(2026, 1, 2, tzinfo=UTC)

SUBMITTED = TaskSubmitted(name="noop", owner=7)
STARTED = AttemptStarted(attempt=1, fence=1, worker="w1", delivery_id="d1")
WISH = CancelRequested(requested_by=7)
LOST = AttemptLost(fence=1)

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


def start(attempt: int, fence: int, claim: Claim) -> AttemptStarted:
    return AttemptStarted(
        attempt=attempt, fence=fence, worker="w2", delivery_id=claim.delivery_id, deadline_at=claim.deadline_at
    )


def ended(outcome: Outcome, fence: int = 1) -> RecordOutcome:
    return RecordOutcome(fence=fence, outcome=outcome, at=AT)


def state_after(history: list[Event]) -> TaskState:
    state = fold(RecordedEvent(TASK, version, AT, body) for version, body in enumerate(history))
    assert state is not None
    return state


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
                TaskFailed(
                    cause=Cause.TIME_LIMIT, message="The task ran longer than its limit of 1.5 s and was stopped."
                ),
            ],
        ),
        (RUNNING, ended(Interrupted(reason="shutdown")), [AttemptInterrupted(fence=1, reason="shutdown")]),
        (RUNNING, ended(Lost(detail="signal 9")), [AttemptLost(fence=1, detail="signal 9")]),
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
        (RUNNING, REJECT, [TaskFailed(cause=Cause.REJECTED, message="unknown task")]),
    ],
)
def test_what_follows_from_an_intention(history: list[Event], intention: Intention, events: list[Event]) -> None:
    assert decide(state_after(history), intention) == events


@pytest.mark.parametrize(
    ("history", "intention", "refusal"),
    [
        (RUNNING, NEW, HeldByAnother),
        (RUNNING, COPY_REDELIVERED, HeldByAnother),
        (RUNNING, SAME, HeldByAnother),
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


def test_the_state_counts_attempts_but_not_the_interrupted_ones() -> None:
    state = state_after([*RUNNING, AttemptInterrupted(fence=1), start(1, 2, NEW), AttemptLost(fence=2)])
    assert (state.version, state.phase, state.attempt, state.fence, state.lost_attempts) == (4, Phase.QUEUED, 1, 2, 1)


def test_the_first_event_says_all_that_the_command_said() -> None:
    command = SubmitTask(
        task_id=TASK,
        name="report",
        submitted_at=AT,
        parameters={"selection_id": 88},
        payload_ref="/payloads/1.json",
        owner=7,
        description="d",
        request="r",
        database_tag="north",
        details_table=5,
        details_record=6,
        batch_id=UUID(int=2),
        correlation_id=UUID(int=3),
    )
    first = submitted(command)
    assert {name: getattr(first, name) for name in first.__struct_fields__} == {
        name: getattr(command, name) for name in first.__struct_fields__
    }
    state = evolve(None, first, 0)
    assert (state.name, state.owner, state.submitted.parameters) == ("report", 7, {"selection_id": 88})
    assert (state.phase, state.submitted.payload_ref) == (Phase.QUEUED, "/payloads/1.json")


def test_a_stream_that_does_not_begin_with_its_submission_is_an_error() -> None:
    with pytest.raises(ValueError, match="HeartbeatRecorded"):
        evolve(None, HeartbeatRecorded(fence=1), 0)
    assert fold([]) is None


# Whatever anybody tries, in any order.

outcomes = st.sampled_from(
    [Succeeded(), Failed(message="no"), TimedOut(limit_seconds=1), Lost(), Cancelled(), Interrupted(), Interrupted()]
)
claims = st.builds(
    Claim,
    worker=st.sampled_from(["w1", "w2"]),
    delivery_id=st.sampled_from(["d1", "d2"]),
    redelivered=st.booleans(),
    deadline_at=st.none(),
)
fences = st.integers(0, 4)
intentions: st.SearchStrategy[Intention] = st.one_of(
    claims,
    claims,
    st.builds(RecordOutcome, fence=fences, outcome=outcomes),
    fences.map(lambda fence: Report(fence=fence, event=HeartbeatRecorded(fence=fence))),
    st.just(CANCEL),
    st.just(REJECT),
)


def history_of(tried: list[Intention]) -> list[Event]:
    history: list[Event] = [SUBMITTED]
    for intention in tried:
        try:
            history += decide(state_after(history), intention)
        except Refusal:
            continue
    return history


@given(st.lists(intentions, max_size=12))
@settings(max_examples=100)
def test_any_history_ends_at_most_once_and_its_fences_rise(tried: list[Intention]) -> None:
    history = history_of(tried)

    ends = [event for event in history if isinstance(event, TERMINAL_EVENTS)]
    assert ends == [] or ends == history[-1:]
    given_out = [event.fence for event in history if isinstance(event, AttemptStarted)]
    assert given_out == list(range(1, len(given_out) + 1))


@given(st.lists(intentions, max_size=12))
@settings(max_examples=100)
def test_any_prefix_of_any_history_is_a_state_that_fits_it(tried: list[Intention]) -> None:
    history = history_of(tried)

    for length in range(1, len(history) + 1):
        prefix = history[:length]
        state = state_after(prefix)
        assert state.version == length - 1
        assert state.phase.finished == isinstance(prefix[-1], TERMINAL_EVENTS)
        assert 0 <= state.attempt <= state.fence
        assert state.lost_attempts <= task.LOST_ATTEMPTS_ALLOWED
        running = [
            event for event in prefix if not isinstance(event, ProgressReported | HeartbeatRecorded | CancelRequested)
        ]
        assert (state.phase is Phase.RUNNING) == isinstance(running[-1], AttemptStarted)


@given(st.lists(intentions, max_size=12), intentions)
@settings(max_examples=100)
def test_nothing_more_happens_to_a_task_that_has_ended(tried: list[Intention], late: Intention) -> None:
    state = state_after(history_of([*tried, REJECT]))

    assert state.phase.finished
    with pytest.raises(Refusal):
        decide(state, late)
