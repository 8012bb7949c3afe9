"""Ticks: the times that a cron expression names, by the clocks of a time zone. Pure.

Where clocks change, this follows Debian's cron: a time of day that does not exist moves to the first that does, one
that exists twice counts once, and what runs every so many minutes goes on at that pace: cron(8).
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from batchtask.errors import InvalidSchedule

_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST_EXPRESSION = 1000


class Cron:
    """The ticks of one schedule.

    Args:
        expression: Minute, hour, day of month, month, day of week; or `@daily` and the like.
        time_zone: A name of the IANA time zone database, such as `Europe/Oslo`.

    Raises:
        InvalidSchedule: Says which of both cannot be read, and why.
    """

    def __init__(self, expression: str, time_zone: str) -> None:
        self._expression = _SHORT.get(expression.strip().lower(), expression)
        self._zone = _zone(time_zone)
        if len(expression) > LONGEST_EXPRESSION:
            raise InvalidSchedule(f"a cron expression has at most {LONGEST_EXPRESSION} characters")
        try:
            CronSim(self._expression, datetime(2026, 1, 1, tzinfo=UTC))
        except (CronSimError, ValueError) as error:
            raise InvalidSchedule(
                f"cron expression {expression!r} cannot be read ({error}); it has five fields, minute, hour, day of "
                "month, month and day of week, as in '30 2 * * mon-fri'"
            ) from error

    def next_after(self, at: datetime) -> datetime:
        """Return the first tick after a time, as aware UTC.

        Raises:
            InvalidSchedule: There is none in the next 50 years.
        """
        for tick in CronSim(self._expression, at.astimezone(self._zone)):
            # In an hour that exists twice the library may answer with a time of the first one.
            if tick.astimezone(UTC) > at:
                return tick.astimezone(UTC)
        raise InvalidSchedule(f"cron expression {self._expression!r} names no time in the next 50 years")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise InvalidSchedule(
            f"time zone {name!r} is not known here; use a name of the IANA database, such as 'Europe/Oslo' or 'UTC'"
        ) from error
