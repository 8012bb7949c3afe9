"""Sliding dates: what "this month" or "the last 30 days" means on a given day, as a half-open range of days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

Range = tuple[date, date]  #: from the first day to before the second

#: Lengths of a period by the number that stands for it in stored criteria, and by name.
UNITS = {"1": "day", "2": "week", "3": "month", "4": "quarter", "5": "year"}
_MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_FURTHEST = date(9999, 12, 31)


def period(day: date, unit: str, first: int, last: int) -> Range:
    """Return the range from the `first` to the `last` period, counted from the one that `day` is in (0).

    Units are day, week (from Monday), month, quarter, half and year.

    Raises:
        OverflowError: That is further away than dates reach.
    """
    return _start(day, unit, first), _start(day, unit, last + 1)


def _start(day: date, unit: str, offset: int) -> date:
    if unit == "day":
        return day + timedelta(days=offset)
    if unit == "week":
        return day + timedelta(days=7 * offset - day.weekday())
    length = _MONTHS[unit]
    months = day.year * 12 + (day.month - 1) // length * length + offset * length
    if not 12 <= months < 12 * 10_000:
        raise OverflowError(f"{offset} {unit}s from {day}")
    return date(months // 12, months % 12 + 1, 1)


def _named(unit: str, first: int, last: int | None = None) -> Callable[[date], Range]:
    return lambda day: period(day, unit, first, first if last is None else last)


#: Ranges without a value, by operator.
FIXED: dict[str, Callable[[date], Range]] = {
    "today": _named("day", 0),
    "yesterday": _named("day", -1),
    "tomorrow": _named("day", 1),
    "beforetoday": lambda day: (date.min, day),
    "aftertoday": lambda day: (day + timedelta(days=1), _FURTHEST),
    **{f"this{unit}": _named(unit, 0) for unit in ("week", "month", "quarter", "half", "year")},
    **{f"last{unit}": _named(unit, -1) for unit in ("week", "month", "quarter", "half", "year")},
    **{f"next{unit}": _named(unit, 1) for unit in ("week", "month", "quarter", "half", "year")},
}

#: Ranges that take a number of days, by operator.
IN_DAYS: dict[str, Callable[[date, int], Range]] = {
    "lastdays": lambda day, count: period(day, "day", -count, 0),
    "nextdays": lambda day, count: period(day, "day", 0, count),
    "beforedays": lambda day, count: (date.min, day - timedelta(days=count)),
    "afterdays": lambda day, count: (day + timedelta(days=count + 1), _FURTHEST),
}

#: Ranges that take a number of periods and a unit, by operator.
IN_PERIODS: dict[str, Callable[[date, int, str], Range]] = {
    "thisperiod": lambda day, _, unit: period(day, unit, 0, 0),
    "nextperiod": lambda day, count, unit: period(day, unit, 1, count),
    "previousperiod": lambda day, count, unit: period(day, unit, -count, -1),
    "thisandnext": lambda day, count, unit: period(day, unit, 0, count),
    "thisandprevious": lambda day, count, unit: period(day, unit, -count, 0),
    "thispreviousandnext": lambda day, _, unit: period(day, unit, -1, 1),
}
