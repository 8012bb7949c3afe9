"""Times as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from batchtask.errors import SettingsError

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_moment(text: str) -> datetime:
    """Read a time, or how long ago it was; without a time zone it is one of this machine's clock.

    Raises:
        SettingsError: It is neither.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsError([f"{text!r} is no time; use 30m, 2h, 3d, or 2026-03-01T12:00"]) from None
