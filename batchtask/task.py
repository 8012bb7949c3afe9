"""The task aggregate: what may happen to a task next. Pure: no clock, no chance, no I/O.

`task_state` folds events to a state, `decide` answers an intention (`intentions`) with the events that follow, or
refuses. Whoever appends the events states the version it decided on, so two who decide at once cannot both win.
The states as a diagram: docs/architecture.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    AttemptSurvived,
    AttemptTimedOut,
    CancelRefused,
    CancelRequested,
    Event,
    PassCompleted,
    RetryScheduled,
    TaskAmended,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskReplayed,
    TaskSucceeded,
)
from batchtask.intentions import (
    AlreadyFinished,
    Amend,
    Claim,
    Defer,
    Expire,
    FenceIsOld,
    HeldByAnother,
    Intention,
    NotDead,
    NotDue,
    NotSucceeded,
    RecordOutcome,
    Reject,
    Release,
    Replay,
    Report,
    RequestCancel,
    Survive,
)
from batchtask.outcomes import (
    Cancelled,
    Cause,
    Failed,
    Interrupted,
    Lost,
    OutOfMemory,
    Passed,
    Snoozed,
    Succeeded,
    TimedOut,
)
from batchtask.retrying import UNLIMITED
from batchtask.task_state import Phase, TaskState

#: `CancellationBehaviour.CannotCancel`, as the first event keeps it.
CANNOT_CANCEL = 2
#: A task that no worker can run is offered again, after pauses that double from the first to the longest. Guesses.
FIRST_OFFER_SECONDS, LONGEST_OFFER_SECONDS = 5.0, 300.0


def decide(state: TaskState, intention: Intention) -> list[Event]:
    """Answer an intention with the events that follow from it, to be appended after `state.version`.

    Raises:
        Refusal: Nothing follows; its type says why.
    """
    match intention:
        case Claim():
            return _claim(state, intention)
        case RecordOutcome():
            _require_fence(state, intention.fence)
            return _end_attempt(state, intention)
        case Report():
            _require_fence(state, intention.fence)
            return [intention.event]
        case Expire():
            _require_fence(state, intention.fence)
            return _go_on(state, _lose(state, intention.detail), intention.at)
        case Survive():
            return _survive(state, intention.fence)
        case Defer():
            return _defer(state, intention)
        case Release():
            return [TaskReleased()] if (state.phase, state.version) == (Phase.WAITING, intention.version) else []
        case RequestCancel():
            return _request_cancel(state, intention)
        case Reject():
            return _reject(state, intention)
        case Replay():
            return _replay(state, intention)
        case Amend():
            return _amend(state, intention)
        case _:
            assert_never(intention)


def _claim(state: TaskState, claim: Claim) -> list[Event]:
    _require_unfinished(state)
    ended: list[Event] = []
    if state.phase is Phase.WAITING and claim.release != state.version:
        raise NotDue
    if state.phase is Phase.RUNNING:
        # Only the very message that the live attempt holds can prove it dead, and only by coming back.
        if not (state.held and claim.redelivered and claim.delivery_id == state.delivery_id):
            raise HeldByAnother
        ended = _lose(state, "")
        if len(ended) > 1:
            return ended
    if state.cancel_requested_by is not None:
        return [*ended, TaskCancelled(requested_by=state.cancel_requested_by)]
    if claim.unable:
        due_at = claim.defer_until or claim.at + timedelta(seconds=_offer_again_seconds(state.deferrals))
        return [*ended, TaskDeferred(due_at=due_at, reason=claim.unable)]
    return [*ended, start_attempt(claim, attempt=state.attempt + 1, fence=state.fence + 1)]


def _offer_again_seconds(deferrals: int) -> float:
    """The pause before a task is offered to the workers again, one of which may be able to run it by then."""
    return min(FIRST_OFFER_SECONDS * 2.0 ** min(deferrals, 16), LONGEST_OFFER_SECONDS)


def start_attempt(claim: Claim, *, attempt: int = 1, fence: int = 1) -> AttemptStarted:
    """The event of a granted claim; with the defaults, that of a task nobody tried before."""
    return AttemptStarted(
        attempt=attempt,
        fence=fence,
        worker=claim.worker,
        delivery_id=claim.delivery_id,
        deadline_at=claim.deadline_at,
        held=claim.held,
        lease_seconds=claim.lease_seconds,
        lost_attempts=claim.lost_attempts,
    )


def outcome_events(record: RecordOutcome) -> list[Event] | None:
    """What an outcome under a valid fence means for the stream, whatever happened before; None if it depends on that.

    Nothing here looks at a wish to cancel: it stands in the stream, and then the append is in conflict.
    """
    fence = record.fence
    match record.outcome:
        case Succeeded(response=response, file_name=file_name):
            return [TaskSucceeded(fence=fence, response=response, file_name=file_name)]
        case Failed(cause=cause, message=message) as outcome:
            if outcome.retry and record.policy.retries(cause):
                return None
            return [_attempt_failed(record, outcome), TaskFailed(cause=cause, message=message)]
        case Passed(response=response):
            return [PassCompleted(fence=fence, due_at=record.pause_until or record.at, response=response)]
        case Snoozed(seconds=seconds, reason=reason):
            due_at = record.at + timedelta(seconds=seconds)
            return [AttemptSnoozed(fence=fence, due_at=due_at, reason=reason)]
        case Interrupted(reason=reason):
            interrupted = AttemptInterrupted(fence=fence, reason=reason)
            # While the message is held, it goes back to the queue; else the stream must bring the task back.
            return [interrupted, _at_once(record, reason)] if record.loses_message else [interrupted]
        case TimedOut() | OutOfMemory() | Lost() | Cancelled():
            return None
        case _:
            assert_never(record.outcome)


def _end_attempt(state: TaskState, record: RecordOutcome) -> list[Event]:
    outcome = record.outcome
    match outcome:
        case Lost(detail=detail):
            # While the message is held, whoever holds it claims anew; else nobody has it in hand.
            lost = _lose(state, detail, worker_survived=True)
            return _go_on(state, lost, record.at) if record.loses_message else lost
        case Cancelled():
            by = state.cancel_requested_by or 0
            return [TaskCancelled(requested_by=by, response=outcome.response, forced=outcome.forced)]
        case TimedOut(limit_seconds=seconds):
            timed_out = AttemptTimedOut(fence=record.fence, limit_seconds=seconds)
            message = f"The task ran longer than its limit of {seconds:g} s and was stopped."
            return [timed_out, *_retry(state, Cause.TIME_LIMIT, record, message)]
        case OutOfMemory(limit_mb=limit_mb):
            message = f"The task took more memory than its limit of {limit_mb} MB and was stopped."
            failed = AttemptFailed(fence=record.fence, cause=Cause.MEMORY, message=message)
            return [failed, *_retry(state, Cause.MEMORY, record, message)]
        case Failed(cause=cause, message=message) if outcome.retry and record.policy.retries(cause):
            return [_attempt_failed(record, outcome), *_retry(state, cause, record, message)]
    events = outcome_events(record)
    assert events is not None
    if state.cancel_requested_by is not None and isinstance(outcome, Passed | Snoozed | Interrupted):
        return [*events, TaskCancelled(requested_by=state.cancel_requested_by)]
    return events


def _attempt_failed(record: RecordOutcome, outcome: Failed) -> AttemptFailed:
    return AttemptFailed(fence=record.fence, cause=outcome.cause, message=outcome.message, detail=outcome.detail)


def _at_once(record: RecordOutcome, reason: str) -> TaskDeferred:
    return TaskDeferred(due_at=record.at, reason=reason)


def _retry(state: TaskState, cause: Cause, record: RecordOutcome, message: str) -> list[Event]:
    """What follows an attempt that ended badly: the next one, after a pause, or the end."""
    if state.cancel_requested_by is not None:
        return [TaskCancelled(requested_by=state.cancel_requested_by)]
    failures = state.failed(cause) + 1
    if not record.policy.may_retry(cause, failures):
        return [TaskFailed(cause=cause, message=message)]
    due_at = record.at + timedelta(seconds=record.policy.delay_seconds(failures, record.chance))
    return [RetryScheduled(due_at=due_at, cause=cause, failures=failures)]


def _lose(state: TaskState, detail: str, *, worker_survived: bool = False) -> list[Event]:
    """An attempt whose process died is followed by another at once, by whoever has the message in hand."""
    lost = AttemptLost(fence=state.fence, detail=detail, worker_survived=worker_survived)
    times = state.failed(Cause.LOST_WORKER) + 1
    if state.lost_attempts == UNLIMITED or times < state.lost_attempts:
        return [lost]
    died = "died" if times == 1 else f"died {times} times"
    message = f"The task was stopped for good: the process that ran it {died}."
    return [lost, TaskFailed(cause=Cause.LOST_WORKER, message=message)]


def _go_on(state: TaskState, ended: list[Event], at: datetime) -> list[Event]:
    """What follows a lost attempt when nobody has the message in hand: the task is to be published anew."""
    if len(ended) > 1:
        return ended
    if state.cancel_requested_by is not None:
        return [*ended, TaskCancelled(requested_by=state.cancel_requested_by)]
    failures = state.failed(Cause.LOST_WORKER) + 1
    return [*ended, RetryScheduled(due_at=at, cause=Cause.LOST_WORKER, failures=failures)]


def _survive(state: TaskState, fence: int) -> list[Event]:
    _require_unfinished(state)
    if not state.excuses(fence):
        raise FenceIsOld
    return [AttemptSurvived(fence=fence)]


def _defer(state: TaskState, defer: Defer) -> list[Event]:
    _require_unfinished(state)
    if state.phase is Phase.RUNNING:
        raise HeldByAnother
    if state.cancel_requested_by is not None:
        return [TaskCancelled(requested_by=state.cancel_requested_by)]
    return [TaskDeferred(due_at=defer.due_at, reason=defer.reason)]


def _request_cancel(state: TaskState, request: RequestCancel) -> list[Event]:
    _require_unfinished(state)
    if state.submitted.cancellation == CANNOT_CANCEL and not request.force:
        return [CancelRefused(requested_by=request.requested_by, reason=request.reason)]
    heard = state.cancel_requested_by is not None and (state.cancel_forced or not request.force)
    if heard and state.phase is Phase.RUNNING:
        return []
    wish = CancelRequested(
        requested_by=request.requested_by,
        reason=request.reason,
        force=request.force,
        requested_at=request.requested_at,
    )
    if state.phase is Phase.RUNNING:
        return [wish]
    return [wish, TaskCancelled(requested_by=request.requested_by)]


def _reject(state: TaskState, reject: Reject) -> list[Event]:
    _require_unfinished(state)
    if state.phase is Phase.RUNNING:
        raise HeldByAnother  # some worker could read it: what nobody can read is another message
    return [TaskFailed(cause=reject.cause, message=reject.message)]


def _replay(state: TaskState, replay: Replay) -> list[Event]:
    if state.phase not in {Phase.FAILED, Phase.CANCELLED}:
        raise NotDead
    return [
        TaskReplayed(
            requested_by=replay.requested_by,
            due_at=replay.at,
            parameters=replay.parameters,
            payload_ref=replay.payload_ref,
        )
    ]


def _amend(state: TaskState, amend: Amend) -> list[Event]:
    if amend.manual_cleanup and state.phase is not Phase.SUCCEEDED:
        raise NotSucceeded
    texts = (amend.description, amend.request, amend.response)
    if all(text is None for text in texts) and amend.manual_cleanup <= state.manual_cleanup:
        return []
    return [
        TaskAmended(
            requested_by=amend.requested_by,
            description=amend.description,
            request=amend.request,
            response=amend.response,
            manual_cleanup=amend.manual_cleanup,
        )
    ]


def _require_unfinished(state: TaskState) -> None:
    if state.phase.finished:
        raise AlreadyFinished


def _require_fence(state: TaskState, fence: int) -> None:
    if state.phase is not Phase.RUNNING or state.fence != fence:
        raise FenceIsOld
