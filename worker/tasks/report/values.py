"""Prints values as the reader's language writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property
from typing import Any

from worker.tasks.crm.fields import Field, Kind
from worker.tasks.crm.headings import translate
from worker.tasks.crm.languages import Language
from worker.tasks.report.words import Words, separators_of, words_of

Print = Callable[[Any], str]
_ANY_NUMBER = Context(prec=330)  #: digits; the largest float has 309, and masks ask for ten more at most
UNITS = ("day", "week", "month", "quarter", "year")
#: Runs of one letter in a date format of .NET; quoted words and week days are not known here.
_DATE_PARTS = re.compile(r"([A-Za-z'\\%])\1*")
_NET_DATES: dict[str, Callable[[date, Language], str]] = {
    "yyyy": lambda day, _: f"{day.year:04}", "yy": lambda day, _: f"{day.year % 100:02}",
    "MMMM": lambda day, language: language.months[day.month - 1],
    "MMM": lambda day, language: _short_month(language.months, day.month - 1),
    "MM": lambda day, _: f"{day.month:02}", "M": lambda day, _: str(day.month),
    "dd": lambda day, _: f"{day.day:02}", "d": lambda day, _: str(day.day),
}  # fmt: skip
_MASK = re.compile(r"[#0, ]*[#0](?:\.([0#]+))?")


@dataclass(frozen=True, kw_only=True)
class Printer:
    """How one reader wants to see values."""

    language: Language
    date_format: str = ""  #: the user's preference, as .NET writes it; the language's if it cannot be understood

    @property
    def words(self) -> Words:
        return words_of(self.language.code)

    def of(self, field: Field, mask: str = "", unit: str = "") -> Print:
        """Return what prints values of a field.

        A mask says how many decimals there are, a unit to what a date was rounded down.
        """
        if unit:
            return lambda value: "" if value is None else self.period(value, unit)
        if field.choices and field.choices.rows is None:
            words = field.choices.words
            return lambda key: translate(words[key], self.language.code) if key in words else str(key or "")
        match field.kind:
            case Kind.NUMBER if "," in mask:
                return lambda value: "" if value is None else self.number(value, 0)
            case Kind.DECIMAL:
                decimals = decimals_of(mask, 2)
                return lambda value: "" if value is None else self.number(value, decimals)
            case Kind.DATE:
                return lambda value: "" if value is None else self.day(value)
            case Kind.TIME:
                return lambda value: "" if value is None else f"{self.day(value)} {value:%H:%M}"
            case Kind.FLAG:
                return lambda value: self.words.yes if value else self.words.no
        return lambda value: "" if value is None else str(value)

    def number(self, value: float | Decimal, decimals: int) -> str:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not exact.is_finite():
            return ""
        rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _ANY_NUMBER)
        rounded = rounded or abs(rounded)  # never -0.00
        thousands, point = separators_of(self.language.code)
        return f"{rounded:,f}".translate({ord(","): thousands, ord("."): point})

    def day(self, day: date) -> str:
        """Print a date; years have four digits, for a report is read for long."""
        if not self._understands_format:
            return day.strftime(self.language.short.replace("%y", "%Y"))
        return _DATE_PARTS.sub(lambda part: _NET_DATES[part[0]](day, self.language), self.date_format)

    @cached_property
    def _understands_format(self) -> bool:
        parts = [part[0] for part in _DATE_PARTS.finditer(self.date_format)]
        return {part[0] for part in parts} == {"y", "M", "d"} and all(part in _NET_DATES for part in parts)

    def time(self, moment: datetime) -> str:
        return f"{self.day(moment)} {moment:%H:%M}"

    @staticmethod
    def period(first: datetime, unit: str) -> str:
        match unit:
            case "year":
                return f"{first.year:04}"
            case "quarter":
                return f"{first.year:04} Q{(first.month + 2) // 3}"
            case "month":
                return f"{first.year:04}-{first.month:02}"
            case "week":
                year, week, _ = first.isocalendar()
                return f"{year:04}-W{week:02}"
        return first.date().isoformat()


def _short_month(months: Sequence[str], position: int) -> str:
    """Return as much of a month's name as tells it from the others, three letters at least."""
    name = months[position]
    return next(name[:end] for end in range(3, 99) if sum(month.startswith(name[:end]) for month in months) == 1)


def decimals_of(mask: str, default: int) -> int:
    """Return how many decimals a mask such as `#0.00` asks for."""
    found = _MASK.fullmatch(mask.strip())
    return min(len(found[1] or ""), 10) if found else default
