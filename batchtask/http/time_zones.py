"""The zone that a caller wants times in: the header `SO-TimeZone`."""

from __future__ import annotations

from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from litestar.params import HeaderParameter

TimeZoneHeader = Annotated[
    str | None,
    HeaderParameter(
        name="SO-TimeZone",
        description="Time zone of the times in the answer, such as Europe/Oslo; by default that of the database. "
        "A name that is not known changes nothing: every time carries its offset.",
    ),
]


def zone_asked(time_zone: TimeZoneHeader = None) -> ZoneInfo | None:
    """Return the zone that the caller asked for; None = the database's. A dependency."""
    # Windows names, which the original takes, must not make every call fail.
    return _zones().get((time_zone or "").strip().lower())


@cache
def _zones() -> dict[str, ZoneInfo]:
    return {name.lower(): ZoneInfo(name) for name in available_timezones()}
