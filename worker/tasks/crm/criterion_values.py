"""Reads the values of criteria, as people, the CRM's archives and its stored criteria write them."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta

#: Archives wrap values: `[I:42]`, `[D:12/31/2025]`, `[DT:12/31/2025 13:00:00.0000000]`, `[F:1.5]`, `[B:1]`.
_WRAPPED = re.compile(r"\[([A-Z]+):(.*)\]", re.DOTALL)
_DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d")
_TIMES = ("%H:%M:%S.%f", "%H:%M:%S", "%H:%M")
_YES = {"1", "true", "yes", "y", "-1"}
_NO = {"0", "false", "no", "n", ""}


def read_text(value: str) -> str:
    """Take a value out of its wrapping.

    Raises:
        ValueError: The database could not hold it.
    """
    if "\x00" in value:
        raise ValueError(value)
    value.encode()  # half a character: UnicodeEncodeError is a ValueError
    wrapped = _WRAPPED.fullmatch(value)
    return wrapped[2] if wrapped else value


def read_integer(value: str) -> int:
    number = int(read_text(value))
    if abs(number) >= 2**63:
        raise ValueError(value)
    return number


def read_decimal(value: str) -> float:
    number = float(read_text(value).replace(" ", "").replace(",", "."))
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def read_flag(value: str) -> int:
    text = read_text(value).strip().lower()
    if text not in _YES | _NO:
        raise ValueError(value)
    return int(text in _YES)


def read_day(value: str) -> date:
    return read_moment(value).date()


def read_moment(value: str) -> datetime:
    """Read a date with or without a time; a time zone is dropped, for the CRM's times have none."""
    wrapped = _WRAPPED.fullmatch(value)
    # Archives write the American order, whatever the user's language.
    formats = ("%m/%d/%Y",) if wrapped else _DATE_FORMATS
    day_text, _, time_text = read_text(value).strip().replace("T", " ", 1).partition(" ")
    day = _parse(day_text, formats)
    if not time_text:
        return day
    time = _parse(re.sub(r"(Z|[+-]\d\d:?\d\d)$", "", time_text.strip())[:15], _TIMES)
    return day + timedelta(hours=time.hour, minutes=time.minute, seconds=time.second)


def _parse(text: str, formats: tuple[str, ...]) -> datetime:
    for one in formats:
        try:
            return datetime.strptime(text, one)
        except ValueError:
            continue
    raise ValueError(text)
