"""Events: what happened to a task, in the past tense and never changed.

The written names in `EVENT_TYPES` are stored for ever; a class may be renamed, its written name may not.
Time and place of an event (`occurred_at`, `version`) belong to `RecordedEvent`, the body to the event.
"""

from __future__ import annotations

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


class AttemptStarted(Event, frozen=True, kw_only=True):
    """A worker holds the lease; task code runs from now on."""

    attempt: int  #: from 1; interrupted attempts are not counted
    fence: int  #: rises with every lease; who writes under a lower one is refused
    worker: str  #: `host/boot id` of the worker process
    delivery_id: str  #: id of the message that is held; its redelivery proves this attempt dead
    deadline_at: datetime | None = None  #: when the hard limit kills the attempt; None = unlimited


class ProgressReported(Event, frozen=True, kw_only=True):
    """The running attempt told how far it is."""

    fence: int
    percent: int  #: of the whole, 0 to 100
    text: str = ""


class HeartbeatRecorded(Event, frozen=True, kw_only=True):
    """The worker that holds the lease is alive; once a minute."""

    fence: int


class AttemptFailed(Event, frozen=True, kw_only=True):
    """Task code raised, returned a failure, or its process died."""

    fence: int
    cause: Cause
    message: str
    detail: str = ""  #: traceback or exit signal, for the operator


class AttemptTimedOut(Event, frozen=True, kw_only=True):
    """The hard limit passed; the process group was killed."""

    fence: int
    limit_seconds: float  #: finite: settings and definitions take no other


class AttemptInterrupted(Event, frozen=True, kw_only=True):
    """Our shutdown stopped the attempt; it is not counted, the task waits again."""

    fence: int
    reason: str = ""


class AttemptLost(Event, frozen=True, kw_only=True):
    """What ran the attempt is gone: its process died, or the broker delivered the held message again."""

    fence: int
    detail: str = ""  #: exit code or signal, if anybody saw one


class CancelRequested(Event, frozen=True, kw_only=True):
    """Somebody asked for the task to stop."""

    requested_by: int  #: associate id; 0 = system
    reason: str = ""


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


EVENT_TYPES: dict[str, type[Event]] = {
    "TaskSubmitted": TaskSubmitted,
    "AttemptStarted": AttemptStarted,
    "ProgressReported": ProgressReported,
    "HeartbeatRecorded": HeartbeatRecorded,
    "AttemptFailed": AttemptFailed,
    "AttemptTimedOut": AttemptTimedOut,
    "AttemptInterrupted": AttemptInterrupted,
    "AttemptLost": AttemptLost,
    "CancelRequested": CancelRequested,
    "TaskSucceeded": TaskSucceeded,
    "TaskFailed": TaskFailed,
    "TaskCancelled": TaskCancelled,
}

TERMINAL_EVENTS = (TaskSucceeded, TaskFailed, TaskCancelled)


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event in its place: the stream, the position in it, and the time it happened."""

    task_id: UUID
    version: int  #: place in the task's stream, from 0, without gaps
    occurred_at: datetime  #: by the clock of whoever recorded it, aware UTC
    body: Event
