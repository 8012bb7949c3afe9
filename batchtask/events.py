"""Events: what happened to a task, in the past tense and never changed.

The written names in `EVENT_TYPES` are stored for ever; a class may be renamed, its written name may not.
Time and place of an event (`occurred_at`, `version`) belong to `RecordedEvent`, the body to the event.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from batchtask.outcomes import Cause


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all events."""


class TaskSubmitted(Event, frozen=True, kw_only=True):
    """The task was accepted. Always version 0; the fields are those of `SubmitTask`."""

    name: str
    parameters: dict[str, Any] = {}
    payload_ref: str | None = None
    owner: int = 0
    description: str = ""
    request: str = ""
    database_tag: str = ""
    details_table: int | None = None
    details_record: int | None = None
    batch_id: UUID | None = None
    correlation_id: UUID | None = None
    start_at: datetime | None = None
    cancellation: int = 0
    schedule: str = ""


class AttemptStarted(Event, frozen=True, kw_only=True):
    """A worker holds the lease; task code runs from now on."""

    attempt: int  #: from 1; interrupted attempts are not counted
    fence: int  #: rises with every lease; who writes under a lower one is refused
    worker: str  #: `host/boot id` of the worker process
    delivery_id: str  #: id of the message that is held; its redelivery proves this attempt dead
    deadline_at: datetime | None = None  #: when the hard limit kills the attempt; None = unlimited
    held: bool = True  #: the message stays unacknowledged; False = the lease alone protects the attempt
    lease_seconds: float = 180.0  #: silence after which the attempt is taken to be dead
    lost_attempts: int = 3  #: budget for attempts whose process dies; -1 = any number


class ProgressReported(Event, frozen=True, kw_only=True):
    """The running attempt told how far it is."""

    fence: int
    percent: int  #: of the whole, 0 to 100
    text: str = ""


class HeartbeatRecorded(Event, frozen=True, kw_only=True):
    """The worker that holds the lease is alive; once a minute."""

    fence: int


class AttemptFailed(Event, frozen=True, kw_only=True):
    """Task code raised or returned a failure, or took too much memory."""

    fence: int
    cause: Cause
    message: str
    detail: str = ""  #: traceback or exit signal, for the operator


class AttemptTimedOut(Event, frozen=True, kw_only=True):
    """The hard limit passed and the processes were killed, or the soft one and the task code ended on being told."""

    fence: int
    limit_seconds: float  #: of the two; finite: settings and definitions take no other


class AttemptInterrupted(Event, frozen=True, kw_only=True):
    """Our shutdown stopped the attempt; it is not counted, the task waits again."""

    fence: int
    reason: str = ""


class AttemptLost(Event, frozen=True, kw_only=True):
    """What ran the attempt is gone: its process died, or the broker delivered the held message again."""

    fence: int
    detail: str = ""  #: exit code or signal, if anybody saw one
    worker_survived: bool = False  #: the worker saw the process die and recorded it: no neighbour was harmed


class AttemptSurvived(Event, frozen=True, kw_only=True):
    """What was taken to be lost lives: its worker was cut off, says so itself, and has stopped it. Uses no budget."""

    fence: int  #: of the attempt that was lost, and not of the one that may run by now


class AttemptSnoozed(Event, frozen=True, kw_only=True):
    """Task code asked to be called later; the attempt is not counted."""

    fence: int
    due_at: datetime
    reason: str = ""


class PassCompleted(Event, frozen=True, kw_only=True):
    """One pass of a multi-pass task is done; the next one is due."""

    fence: int
    due_at: datetime
    response: str = ""


class RetryScheduled(Event, frozen=True, kw_only=True):
    """The attempt that ended last is followed by another one."""

    due_at: datetime
    cause: Cause
    failures: int  #: attempts that ended with this cause so far


class TaskDeferred(Event, frozen=True, kw_only=True):
    """The task waits although nothing failed: no worker can run it now, not its turn, or its message is gone."""

    due_at: datetime
    reason: str


class TaskReleased(Event, frozen=True, kw_only=True):
    """The wait is over: the command was published again."""


class TaskReplayed(Event, frozen=True, kw_only=True):
    """A dead task begins anew, with all budgets; its history stays."""

    requested_by: int  #: associate id; 0 = system
    due_at: datetime
    parameters: dict[str, Any] | None = None  #: instead of those before; None = unchanged
    payload_ref: str | None = None  #: where parameters over 64 KiB lie, if they were changed


class CheckpointSaved(Event, frozen=True, kw_only=True):
    """Task code kept how far it is; committed together with what it wrote."""

    fence: int
    data: dict[str, Any]


class CancelRequested(Event, frozen=True, kw_only=True):
    """Somebody asked for the task to stop."""

    requested_by: int  #: associate id; 0 = system
    reason: str = ""
    force: bool = False  #: kill what runs
    requested_at: datetime | None = None  #: as the command has it, which is known again by that; None = not known


class CancelNoticed(Event, frozen=True, kw_only=True):
    """The worker that runs the task has told the task code to stop, or kills it."""

    fence: int


class CancelRefused(Event, frozen=True, kw_only=True):
    """Somebody asked for the task to stop, and its definition does not allow that."""

    requested_by: int  #: associate id
    reason: str = ""


class TaskAmended(Event, frozen=True, kw_only=True):
    """Somebody changed what users read of the task, at any time, even after its end. Nothing of what it does."""

    requested_by: int  #: associate id; 0 = system
    description: str | None = None  #: instead of the one before, as the next two; None = unchanged
    request: str | None = None
    response: str | None = None
    manual_cleanup: bool = False  #: of a task that succeeded: whoever owns its result cleans up after it


class TaskSucceeded(Event, frozen=True, kw_only=True):
    """The end: the work is done."""

    fence: int
    response: str = ""
    file_name: str | None = None


class TaskFailed(Event, frozen=True, kw_only=True):
    """The end: no further attempt will be made."""

    cause: Cause
    message: str  #: one sentence for the user


class TaskCancelled(Event, frozen=True, kw_only=True):
    """The end: stopped on request."""

    requested_by: int
    response: str = ""  #: what was already done
    forced: bool = False  #: the process was killed


EVENT_TYPES: dict[str, type[Event]] = {
    "TaskSubmitted": TaskSubmitted,
    "AttemptStarted": AttemptStarted,
    "ProgressReported": ProgressReported,
    "HeartbeatRecorded": HeartbeatRecorded,
    "AttemptFailed": AttemptFailed,
    "AttemptTimedOut": AttemptTimedOut,
    "AttemptInterrupted": AttemptInterrupted,
    "AttemptLost": AttemptLost,
    "AttemptSurvived": AttemptSurvived,
    "AttemptSnoozed": AttemptSnoozed,
    "PassCompleted": PassCompleted,
    "RetryScheduled": RetryScheduled,
    "TaskDeferred": TaskDeferred,
    "TaskReleased": TaskReleased,
    "TaskReplayed": TaskReplayed,
    "CheckpointSaved": CheckpointSaved,
    "CancelRequested": CancelRequested,
    "CancelNoticed": CancelNoticed,
    "CancelRefused": CancelRefused,
    "TaskAmended": TaskAmended,
    "TaskSucceeded": TaskSucceeded,
    "TaskFailed": TaskFailed,
    "TaskCancelled": TaskCancelled,
}

TERMINAL_EVENTS = (TaskSucceeded, TaskFailed, TaskCancelled)


def has_ended(events: Iterable[Event]) -> bool:
    """Tell whether the last thing that happened was an end; what users wrote afterwards does not change that."""
    happened = [event for event in events if not isinstance(event, TaskAmended)]
    return bool(happened) and isinstance(happened[-1], TERMINAL_EVENTS)


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event in its place: the stream, the position in it, and the time it happened."""

    task_id: UUID
    version: int  #: place in the task's stream, from 0, without gaps
    occurred_at: datetime  #: by the clock of whoever recorded it, aware UTC
    body: Event
