"""Days, weeks and other periods of a calendar, in a zone: where they begin and end. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

#: Periods by the words that name them, and their length in months; weeks and days have none.
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
PERIODS = ("day", "week", *_MONTHS)

Span = tuple[datetime, datetime]  #: from a moment to another, which is not included


def read_period(text: str) -> str | None:
    """Return a period by its name, in any letter case, `weeks` as `week`; None = there is no such period."""
    name = text.lower()
    return name if name in PERIODS else name.removesuffix("s") if name.removesuffix("s") in PERIODS else None


def span_of(period: str, today: date, zone: tzinfo, *, first: int = 0, last: int = 0) -> Span:
    """Return when some periods in a row begin and end.

    Args:
        period: Of `PERIODS`. Weeks begin on Monday, halves and quarters with January.
        today: A day of the present period.
        zone: Whose midnights are meant.
        first: Of the row, counted from the present one, as -1 for the one before.
        last: Of the row.

    Raises:
        OverflowError: The calendar does not go so far.
    """
    return midnight(_begin(period, today, first), zone), midnight(_begin(period, today, last + 1), zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return when a day begins, in UTC; where clocks skip midnight, the moment they do.

    Raises:
        OverflowError: The calendar does not go so far.
    """
    # A time that does not exist is read with the offset before the change: it is the moment of the change itself.
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _begin(period: str, today: date, shift: int) -> date:
    match period:
        case "day":
            return today + timedelta(days=shift)
        case "week":
            return today + timedelta(days=-today.weekday(), weeks=shift)
        case _:
            length = _MONTHS[period]
            months = today.year * 12 + (today.month - 1) // length * length + shift * length
            return _first_of_month(*divmod(months, 12))


def _first_of_month(year: int, month: int) -> date:
    try:
        return date(year, month + 1, 1)
    except ValueError as error:
        raise OverflowError(str(error)) from error
