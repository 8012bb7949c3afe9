"""Intentions: what somebody wants to do to a task, and why it may be refused. Commands travel; these stay inside.

`task.decide` answers an intention with events, or with one of the refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batchtask.events import CancelNoticed, CheckpointSaved, HeartbeatRecorded, ProgressReported
from batchtask.outcomes import Cause, Outcome
from batchtask.retrying import DEFAULT_RETRY, RetryPolicy


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker holds a delivery and wants to run the task."""

    at: datetime
    worker: str
    delivery_id: str
    redelivered: bool  #: the broker gave this delivery to somebody before
    deadline_at: datetime | None
    held: bool = True  #: the delivery stays unacknowledged until the outcome is recorded
    lease_seconds: float = 180.0
    lost_attempts: int = 3
    release: int | None = None  #: version of the wait that the delivery ends; None for one from a submitter
    unable: str = ""  #: why this worker cannot run it now, in words; the task then waits
    defer_until: datetime | None = None  #: how long it waits then; None = longer each time


@dataclass(frozen=True, kw_only=True)
class RecordOutcome:
    """The attempt under `fence` ended."""

    fence: int
    outcome: Outcome
    at: datetime  #: delays count from here
    policy: RetryPolicy = DEFAULT_RETRY
    chance: float = 0.0  #: from 0 to 1, for the jitter
    pause_until: datetime | None = None  #: of a multi-pass task: before this time no next pass
    loses_message: bool = False  #: nothing is held: whatever goes on must be published anew


@dataclass(frozen=True, kw_only=True)
class Report:
    """The attempt under `fence` is alive, and perhaps further than before."""

    fence: int
    event: ProgressReported | HeartbeatRecorded | CancelNoticed | CheckpointSaved


@dataclass(frozen=True, kw_only=True)
class Expire:
    """The attempt under `fence` has said nothing for longer than its lease."""

    fence: int
    at: datetime
    detail: str


@dataclass(frozen=True, kw_only=True)
class Survive:
    """The attempt under `fence` was not lost, says its own worker; perhaps somebody took it to be."""

    fence: int


@dataclass(frozen=True, kw_only=True)
class Defer:
    """The task shall wait, although nothing failed; refused while an attempt runs."""

    due_at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """The command of a task that waited since `version` was published."""

    version: int


@dataclass(frozen=True, kw_only=True)
class RequestCancel:
    requested_by: int
    reason: str
    force: bool = False
    requested_at: datetime | None = None  #: as the command has it


@dataclass(frozen=True, kw_only=True)
class Reject:
    """No worker will ever be able to run the task; refused while one does."""

    message: str
    cause: Cause = Cause.REJECTED


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Begin a dead task anew."""

    requested_by: int
    at: datetime
    parameters: dict[str, Any] | None = None
    payload_ref: str | None = None


@dataclass(frozen=True, kw_only=True)
class Amend:
    """Change what users read of the task; allowed at any time."""

    requested_by: int
    description: str | None = None  #: None = as it is, like the next two
    request: str | None = None
    response: str | None = None
    manual_cleanup: bool = False  #: refused unless the task succeeded


Intention = (
    Claim | RecordOutcome | Report | Expire | Survive | Defer | Release | RequestCancel | Reject | Replay | Amend
)


class Refusal(Exception):
    """The intention does not fit the state; nothing follows from it."""


class AlreadyFinished(Refusal):
    """The task has ended; whoever asks again only needs the news of that."""


class NotDead(Refusal):
    """Only a task that failed or was stopped can begin anew."""


class NotSucceeded(Refusal):
    """Only what a successful task made can be left to somebody to clean up."""


class HeldByAnother(Refusal):
    """A live attempt holds the task; this delivery is a duplicate."""


class NotDue(Refusal):
    """The task waits, and this delivery is not what ends the wait."""


class FenceIsOld(Refusal):
    """A newer lease was handed out, or the attempt was ended by somebody else."""
