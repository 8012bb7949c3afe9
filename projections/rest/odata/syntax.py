"""What a filter says, as a tree that `parser.py` builds and `conditions.py` turns into SQL. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Every(msgspec.Struct, frozen=True):
    """Holds when all parts do."""

    parts: tuple[Condition, ...]


class Either(msgspec.Struct, frozen=True):
    """Holds when one part does."""

    parts: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True):
    """Holds when the part does not."""

    part: Condition


class OneOf(msgspec.Struct, frozen=True):
    """A number is one of some."""

    column: str
    numbers: tuple[int, ...]


class Within(msgspec.Struct, frozen=True):
    """A number lies from one to another, both included; None = no limit."""

    column: str
    first: int | None = None
    last: int | None = None


class Like(msgspec.Struct, frozen=True):
    """A text is another, or has it in it, whatever the letter case; in a name `-` and `_` do not matter either."""

    column: str
    text: str
    begins: bool = False  #: may go on behind the text
    ends: bool = False  #: may begin before it


class During(msgspec.Struct, frozen=True):
    """A time lies from one moment to another, which is not included; None = no limit. "Never" lies nowhere."""

    column: str
    start: datetime | None = None
    end: datetime | None = None


class Holds(msgspec.Struct, frozen=True):
    """A column that is true or false is true."""

    column: str


Condition = Every | Either | Not | OneOf | Within | Like | During | Holds
