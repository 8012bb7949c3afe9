"""What one attempt ended in.

Task code returns `Succeeded`, `Failed`, `Cancelled` or `Snoozed`, or a plain string or nothing for success. The
others are for the worker to say.
"""

from __future__ import annotations

import enum

import msgspec

#: What waits is due at a date, and a date has an end: nothing waits longer than a year.
LONGEST_WAIT_SECONDS = 366 * 86_400


class Cause(enum.StrEnum):
    """Why an attempt or a task failed; each cause has a budget of its own."""

    ERROR = "error"  #: task code raised or returned a failure
    TIME_LIMIT = "time-limit"  #: the attempt was ended by its hard limit, or by its soft one
    MEMORY = "memory"  #: the task took more memory than it may
    LOST_WORKER = "lost-worker"  #: the process that ran it died
    REJECTED = "rejected"  #: no worker ever can run it: its message cannot be read, or was given back too often


class Succeeded(msgspec.Struct, frozen=True, kw_only=True, tag="succeeded"):
    """The work is done."""

    response: str = ""  #: one or two sentences for the user: what was done, what was left out
    file_name: str | None = None  #: path or URL of the file that was made, None for none


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The work could not be done."""

    message: str  #: one sentence for the user that says what to do
    cause: Cause = Cause.ERROR
    detail: str = ""  #: for the operator: a traceback, an exit signal; never shown to the user
    retry: bool = False  #: another try may help, if the definition's policy grants one


class TimedOut(msgspec.Struct, frozen=True, kw_only=True, tag="timed-out"):
    """The hard limit passed and the process was killed, or the soft one and `TimeIsShort` ended the task code."""

    limit_seconds: float


class OutOfMemory(msgspec.Struct, frozen=True, kw_only=True, tag="out-of-memory"):
    """The memory limit was passed and the process was killed."""

    limit_mb: int


class Lost(msgspec.Struct, frozen=True, kw_only=True, tag="lost"):
    """The process that ran the attempt died under it: a crash, the OOM killer, a `kill -9`."""

    detail: str = ""  #: exit code or signal


class Cancelled(msgspec.Struct, frozen=True, kw_only=True, tag="cancelled"):
    """The task stopped at a safe point because somebody asked for it."""

    response: str = ""  #: what was already done
    forced: bool = False  #: the process was killed; at which line nobody knows


class Snoozed(msgspec.Struct, frozen=True, kw_only=True, tag="snoozed"):
    """The task cannot go on now and asks to be called later; uses up no attempt."""

    seconds: float  #: from now, at most a year
    reason: str = ""  #: what it waits for, in words for the user

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= LONGEST_WAIT_SECONDS:
            raise ValueError(f"a task can be snoozed for 0 to {LONGEST_WAIT_SECONDS} s, not for {self.seconds} s")


class Passed(msgspec.Struct, frozen=True, kw_only=True, tag="passed"):
    """One pass of a multi-pass task is done; the task is called again after its pause."""

    response: str = ""


class Interrupted(msgspec.Struct, frozen=True, kw_only=True, tag="interrupted"):
    """Our own shutdown stopped the attempt; uses up no attempt."""

    reason: str = ""


Outcome = Succeeded | Failed | TimedOut | OutOfMemory | Lost | Cancelled | Snoozed | Passed | Interrupted
