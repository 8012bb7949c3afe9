"""What one attempt ended in. Task code returns one of these (or a plain string, or nothing, for success)."""

from __future__ import annotations

import msgspec


class Succeeded(msgspec.Struct, frozen=True, kw_only=True, tag="succeeded"):
    """The work is done."""

    response: str = ""  #: one or two sentences for the user: what was done, what was left out
    file_name: str | None = None  #: path or URL of the file that was made, None for none


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The work could not be done."""

    message: str  #: one sentence for the user that says what to do
    cause: str = "error"  #: which budget it uses: error, time-limit, memory, lost-worker, poison
    detail: str = ""  #: for the operator: a traceback, an exit signal; never shown to the user


class Snoozed(msgspec.Struct, frozen=True, kw_only=True, tag="snoozed"):
    """The task asks to be tried again later; uses up no attempt."""

    seconds: float  #: from now
    reason: str = ""


class Cancelled(msgspec.Struct, frozen=True, kw_only=True, tag="cancelled"):
    """The task stopped at a safe point because somebody asked for it."""

    response: str = ""  #: what was already done


class Interrupted(msgspec.Struct, frozen=True, kw_only=True, tag="interrupted"):
    """Our own shutdown stopped the attempt; uses up no attempt."""

    reason: str = ""


Outcome = Succeeded | Failed | Snoozed | Cancelled | Interrupted
