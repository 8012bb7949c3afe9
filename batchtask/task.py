"""The task aggregate: what may happen to a task next. Pure: no clock, no I/O.

`evolve` folds events to a state, `decide` answers an intention with the events that follow from it, or refuses.
Whoever appends the events states the version it decided on, so two who decide at once cannot both win.
The states as a diagram: docs/architecture.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, assert_never

from batchtask.events import (
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
from batchtask.messages import SubmitTask
from batchtask.outcomes import Cancelled, Cause, Ending, Failed, Interrupted, Lost, Outcome, Succeeded, TimedOut

#: Attempts that may die under a task before it is taken to be what kills them.
LOST_ATTEMPTS_ALLOWED = 3


class Phase(enum.Enum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self not in {Phase.QUEUED, Phase.RUNNING}


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """A task as its events so far say."""

    version: int  #: of the last event folded
    name: str
    owner: int
    phase: Phase = Phase.QUEUED
    attempt: int = 0  #: counted tries so far
    fence: int = 0  #: of the newest lease
    lost_attempts: int = 0  #: attempts whose process died
    worker: str = ""
    delivery_id: str = ""
    cancel_requested_by: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    payload_ref: str | None = None


# Intentions: what somebody wants to do to a task. They stay inside the process; commands travel.


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker holds a delivery and wants to run the task."""

    worker: str
    delivery_id: str
    redelivered: bool  #: the broker gave this delivery to somebody before
    deadline_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RecordOutcome:
    """The attempt under `fence` ended."""

    fence: int
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Report:
    """The attempt under `fence` is alive, and perhaps further than before."""

    fence: int
    event: ProgressReported | HeartbeatRecorded


@dataclass(frozen=True, kw_only=True)
class RequestCancel:
    requested_by: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Reject:
    """No worker will ever be able to run the task."""

    message: str


Intention = Claim | RecordOutcome | Report | RequestCancel | Reject


class Refusal(Exception):
    """The intention does not fit the state; nothing follows from it."""


class AlreadyFinished(Refusal):
    """The task has ended; whoever asks again only needs the news of that."""


class HeldByAnother(Refusal):
    """A live attempt holds the task; this delivery is a duplicate."""


class FenceIsOld(Refusal):
    """A newer lease was handed out, or the attempt was ended by somebody else."""


def submitted(command: SubmitTask) -> TaskSubmitted:
    """The first event of every stream; a function of the command alone, so whoever comes first may write it."""
    return TaskSubmitted(
        name=command.name,
        parameters=command.parameters,
        payload_ref=command.payload_ref,
        owner=command.owner,
        description=command.description,
        request=command.request,
        database_tag=command.database_tag,
        details_table=command.details_table,
        details_record=command.details_record,
        batch_id=command.batch_id,
        correlation_id=command.correlation_id,
    )


def fold(events: Iterable[RecordedEvent], state: TaskState | None = None) -> TaskState | None:
    """Fold events, in stream order without gaps, onto a state; None for a stream without events."""
    for event in events:
        state = evolve(state, event.body, event.version)
    return state


def evolve(state: TaskState | None, event: Event, version: int) -> TaskState:
    """Return the state after one more event."""
    if isinstance(event, TaskSubmitted):
        return TaskState(
            version=version,
            name=event.name,
            owner=event.owner,
            parameters=event.parameters,
            payload_ref=event.payload_ref,
        )
    if state is None:
        raise ValueError(f"a stream begins with TaskSubmitted, not with {type(event).__name__}")
    state = replace(state, version=version)
    match event:
        case AttemptStarted():
            return replace(
                state,
                phase=Phase.RUNNING,
                attempt=event.attempt,
                fence=event.fence,
                worker=event.worker,
                delivery_id=event.delivery_id,
            )
        case AttemptInterrupted():
            return replace(state, phase=Phase.QUEUED, attempt=state.attempt - 1)
        case AttemptLost():
            return replace(state, phase=Phase.QUEUED, lost_attempts=state.lost_attempts + 1)
        case AttemptFailed() | AttemptTimedOut():
            return replace(state, phase=Phase.QUEUED)
        case CancelRequested():
            return replace(state, cancel_requested_by=event.requested_by)
        case TaskSucceeded():
            return replace(state, phase=Phase.SUCCEEDED)
        case TaskFailed():
            return replace(state, phase=Phase.FAILED)
        case TaskCancelled():
            return replace(state, phase=Phase.CANCELLED)
        case _:
            return state


def decide(state: TaskState, intention: Intention) -> list[Event]:
    """Answer an intention with the events that follow from it, to be appended after `state.version`.

    Raises:
        Refusal: Nothing follows; its type says why.
    """
    match intention:
        case Claim():
            return _claim(state, intention)
        case RecordOutcome(fence=fence, outcome=outcome):
            _require_fence(state, fence)
            if isinstance(outcome, Lost):
                return _lose(state, outcome.detail)
            return outcome_events(fence, outcome, state.cancel_requested_by)
        case Report():
            _require_fence(state, intention.fence)
            return [intention.event]
        case RequestCancel():
            return _request_cancel(state, intention)
        case Reject():
            _require_unfinished(state)
            return [TaskFailed(cause=Cause.REJECTED, message=intention.message)]
        case _:
            assert_never(intention)


def _claim(state: TaskState, claim: Claim) -> list[Event]:
    _require_unfinished(state)
    ended: list[Event] = []
    if state.phase is Phase.RUNNING:
        # Only the very message that the live attempt holds can prove it dead, and only by coming back.
        if not (claim.redelivered and claim.delivery_id == state.delivery_id):
            raise HeldByAnother
        ended = _lose(state, "")
        if len(ended) > 1:
            return ended
    if state.cancel_requested_by is not None:
        return [*ended, TaskCancelled(requested_by=state.cancel_requested_by)]
    return [*ended, start_attempt(claim, attempt=state.attempt + 1, fence=state.fence + 1)]


def _lose(state: TaskState, detail: str) -> list[Event]:
    lost = AttemptLost(fence=state.fence, detail=detail)
    if state.lost_attempts + 1 < LOST_ATTEMPTS_ALLOWED:
        return [lost]
    message = f"The task was stopped for good: the process that ran it died {LOST_ATTEMPTS_ALLOWED} times."
    return [lost, TaskFailed(cause=Cause.LOST_WORKER, message=message)]


def start_attempt(claim: Claim, *, attempt: int = 1, fence: int = 1) -> AttemptStarted:
    """The event of a granted claim; with the defaults, that of a task nobody tried before."""
    return AttemptStarted(
        attempt=attempt,
        fence=fence,
        worker=claim.worker,
        delivery_id=claim.delivery_id,
        deadline_at=claim.deadline_at,
    )


def outcome_events(fence: int, outcome: Ending, cancel_requested_by: int | None) -> list[Event]:
    """What an outcome under a valid fence means for the stream, whatever happened before."""
    match outcome:
        case Succeeded():
            return [TaskSucceeded(fence=fence, response=outcome.response, file_name=outcome.file_name)]
        case Failed():
            failed = AttemptFailed(fence=fence, cause=outcome.cause, message=outcome.message, detail=outcome.detail)
            return [failed, TaskFailed(cause=outcome.cause, message=outcome.message)]
        case TimedOut():
            message = f"The task ran longer than its limit of {outcome.limit_seconds:g} s and was stopped."
            timed_out = AttemptTimedOut(fence=fence, limit_seconds=outcome.limit_seconds)
            return [timed_out, TaskFailed(cause=Cause.TIME_LIMIT, message=message)]
        case Cancelled():
            return [TaskCancelled(requested_by=cancel_requested_by or 0, response=outcome.response)]
        case Interrupted():
            return [AttemptInterrupted(fence=fence, reason=outcome.reason)]
        case _:
            assert_never(outcome)


def _request_cancel(state: TaskState, request: RequestCancel) -> list[Event]:
    _require_unfinished(state)
    if state.cancel_requested_by is not None:
        return []
    wish = CancelRequested(requested_by=request.requested_by, reason=request.reason)
    if state.phase is Phase.QUEUED:
        return [wish, TaskCancelled(requested_by=request.requested_by)]
    return [wish]


def _require_unfinished(state: TaskState) -> None:
    if state.phase.finished:
        raise AlreadyFinished


def _require_fence(state: TaskState, fence: int) -> None:
    if state.phase is not Phase.RUNNING or state.fence != fence:
        raise FenceIsOld
