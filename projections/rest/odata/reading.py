"""The tokens of a filter, read one after the other, and the values among them. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from batchtask.http.carrier import BatchTaskState
from projections.rest.odata.columns import COLUMNS, find_column
from projections.rest.odata.periods import PERIODS, Span, midnight, read_period
from projections.rest.odata.tokens import Sort, Token, refuse, tokenise

_LARGEST = 2**31 - 1
_LONGEST_NUMBER = len(str(-_LARGEST))
_SHORTEST = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC) + _SHORTEST)
_LAST = (datetime.max.replace(tzinfo=UTC) - _SHORTEST, datetime.max.replace(tzinfo=UTC))
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_STATES = {state.name.lower(): state for state in BatchTaskState if state is not BatchTaskState.All}


class Reader:
    """Stands before the next token of a filter. Every method that reads raises `BadRequest` when it finds another.

    Args:
        text: The filter.
        zone: Of days and of times without an offset.
    """

    def __init__(self, text: str, zone: tzinfo) -> None:
        self._tokens = tokenise(text)
        self._next = 0
        self._zone = zone

    @property
    def ahead(self) -> Token:
        """The next token, which stays where it is."""
        return self._tokens[self._next]

    @property
    def behind_ahead(self) -> Token:
        """The token after the next."""
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def at_end(self) -> bool:
        """Tell whether everything was read."""
        return self.ahead.sort is Sort.END

    def take(self) -> Token:
        """Go behind the next token, and return it."""
        token = self.ahead
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def take_if(self, *words: str) -> bool:
        """Go behind the next token if it is one of these words or signs."""
        found = self.ahead.sort in {Sort.WORD, Sort.SIGN} and self.ahead.text.lower() in words
        if found:
            self.take()
        return found

    def sign(self, sign: str, where: str) -> None:
        """Read a sign that must stand here."""
        if not self.take_if(sign):
            refuse(self.ahead.position, f"expected {sign!r} {where}, found {self.ahead}")

    def column(self) -> str:
        """Read the name of a column."""
        token = self.take()
        name = find_column(token.text) if token.sort is Sort.WORD else None
        if name is None:
            refuse(token.position, f"expected a column, found {token}; there are {', '.join(COLUMNS)}")
        return name

    def text(self) -> str:
        """Read a text in quotes."""
        token = self.take()
        if token.sort is not Sort.TEXT:
            refuse(token.position, f"expected a text in single quotes, found {token}")
        return token.text

    def number(self) -> int:
        """Read a whole number of 32 bits."""
        token = self.take()
        number = _integer(token.text)
        if number is None:
            refuse(token.position, f"expected a whole number of 32 bits, found {token}")
        return number

    def state(self) -> int:
        """Read a state by its number, or by its name with or without quotes."""
        if (state := _STATES.get(self.ahead.text.lower())) is None:
            token = self.ahead
            if _integer(token.text) is None:
                refuse(token.position, f"expected a state by number or name, such as 3 or Started, found {token}")
            return self.number()
        self.take()
        return state

    def boolean(self) -> bool:
        """Read true or false."""
        token = self.take()
        if token.text.lower() not in _BOOLEANS:
            refuse(token.position, f"expected true or false, found {token}")
        return _BOOLEANS[token.text.lower()]

    def span(self) -> Span:
        """Read a day, or a time, as the span that it lasts: a day, or a microsecond."""
        token = self.take()
        try:
            return _span(token.text, self._zone)
        except OverflowError:
            # The first and the last time that .NET has, by which its programs say "no limit".
            return _LAST if token.text[0] == "9" else _FIRST
        except ValueError:
            refuse(
                token.position,
                f"expected a date such as 2031-02-03, or a time such as 2031-02-03T10:11:12Z, found {token}",
            )

    def period(self) -> str:
        """Read the name of a period, with or without quotes."""
        token = self.take()
        period = read_period(token.text)
        if period is None:
            refuse(token.position, f"expected a period, found {token}; there are {', '.join(PERIODS)}")
        return period


def _integer(text: str) -> int | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(text) > _LONGEST_NUMBER:
        return None
    return int(text) if -_LARGEST <= int(text) <= _LARGEST else None


def _span(text: str, zone: tzinfo) -> Span:
    if "t" not in text.lower():
        day = date.fromisoformat(text)
        return midnight(day, zone), midnight(day + timedelta(days=1), zone)
    moment = datetime.fromisoformat(text)
    start = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    return start, start + _SHORTEST
