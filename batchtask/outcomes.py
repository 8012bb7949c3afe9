"""What one attempt ended in. Task code returns one of these (or a plain string, or nothing, for success)."""

from __future__ import annotations

import enum

import msgspec


class Cause(enum.StrEnum):
    """Why an attempt or a task failed; each cause has a budget of its own."""

    ERROR = "error"  #: task code raised or returned a failure
    TIME_LIMIT = "time-limit"  #: the hard limit killed the attempt
    LOST_WORKER = "lost-worker"  #: the process that ran it died
    REJECTED = "rejected"  #: no worker can run it: unknown name, another database, delivery limit


class Succeeded(msgspec.Struct, frozen=True, kw_only=True, tag="succeeded"):
    """The work is done."""

    response: str = ""  #: one or two sentences for the user: what was done, what was left out
    file_name: str | None = None  #: path or URL of the file that was made, None for none


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The work could not be done."""

    message: str  #: one sentence for the user that says what to do
    cause: Cause = Cause.ERROR
    detail: str = ""  #: for the operator: a traceback, an exit signal; never shown to the user


class TimedOut(msgspec.Struct, frozen=True, kw_only=True, tag="timed-out"):
    """The hard limit passed and the process was killed."""

    limit_seconds: float


class Lost(msgspec.Struct, frozen=True, kw_only=True, tag="lost"):
    """The process that ran the attempt died under it: a crash, the OOM killer, a `kill -9`."""

    detail: str = ""  #: exit code or signal


class Cancelled(msgspec.Struct, frozen=True, kw_only=True, tag="cancelled"):
    """The task stopped at a safe point because somebody asked for it."""

    response: str = ""  #: what was already done


class Interrupted(msgspec.Struct, frozen=True, kw_only=True, tag="interrupted"):
    """Our own shutdown stopped the attempt; uses up no attempt."""

    reason: str = ""


Ending = Succeeded | Failed | TimedOut | Cancelled | Interrupted
Outcome = Ending | Lost
