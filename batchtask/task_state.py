"""What the events of a task say about it: the fold. Pure; what may happen next is decided in `task`."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    AttemptSurvived,
    AttemptTimedOut,
    CancelRequested,
    CheckpointSaved,
    Event,
    PassCompleted,
    RecordedEvent,
    RetryScheduled,
    TaskAmended,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskReplayed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.messages import SubmitTask
from batchtask.outcomes import Cause

#: A worker may be cut off by what its task does to the machine: not for ever shall that use no budget. A guess.
MOST_SURVIVALS = 20


class Phase(enum.Enum):
    QUEUED = "queued"
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """A task as its events so far say."""

    version: int  #: of the last event folded
    submitted: TaskSubmitted  #: with the parameters of the last replay
    phase: Phase = Phase.QUEUED
    due_at: datetime | None = None  #: while waiting: when it goes on
    attempt: int = 0  #: counted tries so far
    fence: int = 0  #: of the newest lease
    held: bool = True
    lease_seconds: float = 0.0
    lost_attempts: int = 0  #: the budget for attempts whose process dies; -1 = any number
    failures: Mapping[Cause, int] = field(default_factory=dict)  #: ended attempts by cause
    worker_died: bool = False  #: under one of the lost attempts, and not only the process that ran it
    lost: frozenset[int] = frozenset()  #: fences whose worker may live all the same
    survivals: int = 0  #: attempts that were taken to be lost, and were not
    deferrals: int = 0  #: since an attempt began
    worker: str = ""
    delivery_id: str = ""
    checkpoint: dict[str, Any] | None = None
    cancel_requested_by: int | None = None
    cancel_forced: bool = False
    manual_cleanup: bool = False  #: it succeeded, and whoever owns its result cleans up after it

    def failed(self, cause: Cause) -> int:
        """Attempts that have ended with a cause."""
        return self.failures.get(cause, 0)

    @property
    def last_chance(self) -> bool:
        """Whether the attempt that runs is the last that may lose its process, and a whole worker was lost before."""
        set_aside = 1 < self.lost_attempts <= self.failed(Cause.LOST_WORKER) + 1
        return self.phase is Phase.RUNNING and self.worker_died and set_aside

    def excuses(self, fence: int) -> bool:
        """Whether the loss of an attempt need not count, because its worker lives."""
        return fence in self.lost and self.survivals < MOST_SURVIVALS

    @property
    def name(self) -> str:
        return self.submitted.name

    @property
    def owner(self) -> int:
        return self.submitted.owner


def submitted(command: SubmitTask) -> TaskSubmitted:
    """The first event of every stream; a function of the command alone, so whoever comes first may write it."""
    return TaskSubmitted(**{name: getattr(command, name) for name in TaskSubmitted.__struct_fields__})


def as_recorded(command: SubmitTask, state: TaskState) -> SubmitTask:
    """The command as the stream has it: the first of those with its id counts, with the parameters of a replay."""
    return msgspec.structs.replace(command, **_content(state))


def resubmission(task_id: UUID, state: TaskState, at: datetime) -> SubmitTask:
    """The command that asks for a task of the store once more."""
    return SubmitTask(task_id=task_id, submitted_at=at, **_content(state))


def _content(state: TaskState) -> dict[str, Any]:
    """The fields of a command that asks for the task now: its wait for `start_at` is over."""
    return msgspec.structs.asdict(state.submitted) | {"start_at": None}


def fold(events: Iterable[RecordedEvent], state: TaskState | None = None) -> TaskState | None:
    """Fold events, in stream order without gaps, onto a state; None for a stream without events."""
    for event in events:
        state = evolve(state, event.body, event.version)
    return state


def evolve(state: TaskState | None, event: Event, version: int) -> TaskState:
    """Return the state after one more event."""
    if isinstance(event, TaskSubmitted):
        phase = Phase.QUEUED if event.start_at is None else Phase.WAITING
        return TaskState(version=version, submitted=event, phase=phase, due_at=event.start_at)
    if state is None:
        raise ValueError(f"a stream begins with TaskSubmitted, not with {type(event).__name__}")
    state = replace(state, version=version)
    match event:
        case AttemptStarted():
            return _start(state, event)
        case AttemptInterrupted():
            return replace(state, phase=Phase.QUEUED, attempt=state.attempt - 1)
        case AttemptLost() | AttemptTimedOut() | AttemptFailed():
            return _fail(state, event)
        case AttemptSnoozed() | PassCompleted() | RetryScheduled() | TaskDeferred():
            return _wait(state, event)
        case TaskReleased():
            return replace(state, phase=Phase.QUEUED, due_at=None)
        case TaskReplayed():
            return _begin_anew(state, event)
        case TaskSucceeded() | TaskFailed() | TaskCancelled():
            return replace(state, phase=_ENDS[type(event)], due_at=None)
        case _:
            return _go_on(state, event)


def _go_on(state: TaskState, event: Event) -> TaskState:
    """What is told about a task changes nothing of what it does at the moment."""
    match event:
        case AttemptSurvived(fence=fence):
            return _excuse(state, fence)
        case CheckpointSaved(data=data):
            return replace(state, checkpoint=data)
        case CancelRequested(requested_by=requested_by, force=force):
            return replace(state, cancel_requested_by=requested_by, cancel_forced=force)
        case TaskAmended(manual_cleanup=True):
            return replace(state, manual_cleanup=True)
        case _:
            return state


_ENDS: Mapping[type[Event], Phase] = {
    TaskSucceeded: Phase.SUCCEEDED,
    TaskFailed: Phase.FAILED,
    TaskCancelled: Phase.CANCELLED,
}


def _start(state: TaskState, event: AttemptStarted) -> TaskState:
    return replace(
        state,
        phase=Phase.RUNNING,
        due_at=None,
        attempt=event.attempt,
        fence=event.fence,
        held=event.held,
        lease_seconds=event.lease_seconds,
        lost_attempts=event.lost_attempts,
        worker=event.worker,
        delivery_id=event.delivery_id,
        deferrals=0,
    )


def _fail(state: TaskState, event: AttemptLost | AttemptTimedOut | AttemptFailed) -> TaskState:
    match event:
        case AttemptLost():
            cause = Cause.LOST_WORKER
            if not event.worker_survived:
                state = replace(state, worker_died=True, lost=state.lost | {event.fence})
        case AttemptTimedOut():
            cause = Cause.TIME_LIMIT
        case AttemptFailed():
            cause = event.cause
    return replace(state, phase=Phase.QUEUED, failures={**state.failures, cause: state.failed(cause) + 1})


def _excuse(state: TaskState, fence: int) -> TaskState:
    lost = state.lost - {fence}
    failures = {**state.failures, Cause.LOST_WORKER: state.failed(Cause.LOST_WORKER) - 1}
    return replace(state, failures=failures, lost=lost, worker_died=bool(lost), survivals=state.survivals + 1)


def _wait(state: TaskState, event: AttemptSnoozed | PassCompleted | RetryScheduled | TaskDeferred) -> TaskState:
    state = replace(state, phase=Phase.WAITING, due_at=event.due_at)
    match event:
        case AttemptSnoozed():
            return replace(state, attempt=state.attempt - 1)
        case PassCompleted():
            # The next pass is a piece of work of its own.
            return replace(state, attempt=0, failures={}, worker_died=False, lost=frozenset(), checkpoint=None)
        case TaskDeferred():
            return replace(state, deferrals=state.deferrals + 1)
        case RetryScheduled():
            return state


def _begin_anew(state: TaskState, event: TaskReplayed) -> TaskState:
    """Only fences go on rising: an attempt of before must stay fenced. A checkpoint stays, it is still true."""
    first = state.submitted
    if event.parameters is not None or event.payload_ref is not None:
        first = msgspec.structs.replace(first, parameters=event.parameters or {}, payload_ref=event.payload_ref)
    return TaskState(
        version=state.version,
        submitted=first,
        phase=Phase.WAITING,
        due_at=event.due_at,
        fence=state.fence,
        checkpoint=state.checkpoint if first is state.submitted else None,
    )
