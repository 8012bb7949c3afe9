"""The pause of all workers, or of one, as the modern API shows it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from batchtask.pausing import Pause


class PauseView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether workers were told to take nothing new."""

    paused: bool
    by: str  #: login name of whoever said so; empty when nothing is paused
    since: datetime | None
    reason: str


def pause_view(pause: Pause | None) -> PauseView:
    """Show a pause, or that there is none."""
    if pause is None:
        return PauseView(paused=False, by="", since=None, reason="")
    return PauseView(paused=True, by=pause.paused_by, since=pause.paused_at.astimezone(UTC), reason=pause.reason)
