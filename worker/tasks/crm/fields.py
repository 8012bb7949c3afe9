"""What a field of a CRM record is in SQL: a value to print and sort by, and a way to put a test to what is stored.

Which fields there are: `subjects`. How they are found by name, also across records: `catalogue`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, FromClause, Select, Table, and_, case, exists, func, or_, select

Expression = ColumnElement[Any]
Condition = ColumnElement[bool]
Test = Callable[[Expression], Condition]
Sees = Callable[[str, FromClause], Condition]  #: which rows of a subject somebody may read

#: The CRM writes 1760-01-01 where there is no date.
NO_DATE_BEFORE = datetime(1800, 1, 1)
#: The database knows later dates, and `infinity`; nobody means them, and Python has none.
NO_DATE_AFTER = datetime.max


class Kind(enum.Enum):
    """What a value is; it decides which operators there are and how it is printed."""

    TEXT = "text"
    NUMBER = "number"
    DECIMAL = "decimal"
    DATE = "date"
    TIME = "date and time"
    FLAG = "yes or no"
    LIST = "list"
    USER = "user"
    GROUP = "user group"

    @property
    def is_choice(self) -> bool:
        return self in {Kind.LIST, Kind.USER, Kind.GROUP}

    @property
    def is_number(self) -> bool:
        return self in {Kind.NUMBER, Kind.DECIMAL}

    @property
    def is_date(self) -> bool:
        return self in {Kind.DATE, Kind.TIME}


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a list field chooses from: rows with `key`, `name`, and perhaps a `code` that means the same."""

    rows: Select[Any] | None = None
    words: Mapping[int, str] = field(default_factory=dict)  #: in place of rows: English words by key

    def keys(self, test: Test) -> Select[Any]:
        """Select the keys of the rows that have a name or code for which the test holds."""
        assert self.rows is not None
        found = self.rows.subquery()
        named = [test(found.c[column]) for column in ("name", "code") if column in found.c]
        return select(found.c.key).where(or_(*named))

    def name_of(self, key: Expression, base: FromClause) -> Expression:
        """Return the name of the row with this key; the key itself where words are to be translated."""
        if self.rows is None:
            return key
        found = self.rows.subquery()
        return select(found.c.name).where(found.c.key == key).correlate(base).scalar_subquery()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One field of the rows of a FROM clause."""

    value: Expression  #: of a list, its name
    holds: Callable[[Test], Condition]  #: of a list, the test is put to its key


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A field of a subject, apart from its name."""

    kind: Kind
    heading: str  #: English; see `headings`
    read: Callable[[FromClause, Sees], Reading]
    choices: Choices | None = None


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field that was found by name, on certain rows."""

    name: str
    kind: Kind
    heading: str
    value: Expression
    holds: Callable[[Test], Condition]
    choices: Choices | None = None


def stored(column: str, kind: Kind, heading: str) -> Definition:
    """A column of the record itself."""
    return computed(kind, heading, lambda base: base.c[column])


def computed(kind: Kind, heading: str, expression: Callable[[FromClause], Expression]) -> Definition:
    """An expression over columns of the record itself."""

    def read(base: FromClause, _: Sees) -> Reading:
        value = comparable(kind, expression(base))
        return Reading(value=shown(kind, value), holds=lambda test: test(value))

    return Definition(kind=kind, heading=heading, read=read)


def chosen(column: str, heading: str, choices: Choices, kind: Kind = Kind.LIST) -> Definition:
    """A column that holds the id of a list item, a user or a group."""

    def read(base: FromClause, _: Sees) -> Reading:
        key = base.c[column]
        return Reading(value=choices.name_of(key, base), holds=lambda test: test(key))

    return Definition(kind=kind, heading=heading, read=read, choices=choices)


def looked_up(
    kind: Kind,
    heading: str,
    table: Table,
    column: str,
    on: Callable[[FromClause, FromClause], Condition],
    *,
    order: tuple[str, ...] = (),
) -> Definition:
    """A column of another table's row; the first by `order` is printed, a criterion holds if it does for any."""

    def read(base: FromClause, _: Sees) -> Reading:
        row = table.alias()
        value = comparable(kind, row.c[column])
        first = select(shown(kind, value)).where(on(base, row)).order_by(*(row.c[name] for name in order)).limit(1)
        return Reading(
            value=first.correlate(base).scalar_subquery(),
            holds=lambda test: exists().where(and_(on(base, row), test(value))).correlate(base),
        )

    return Definition(kind=kind, heading=heading, read=read)


def counted(
    kind: Kind,
    heading: str,
    subject: str,
    table: Table,
    *,
    on: Callable[[FromClause, FromClause], Condition],
    measure: Callable[[FromClause], Expression],
) -> Definition:
    """A number or date made of many rows of another subject, of those that the asking user may read."""

    def read(base: FromClause, sees: Sees) -> Reading:
        row = table.alias()
        value = select(measure(row)).where(on(base, row), sees(subject, row)).correlate(base).scalar_subquery()
        return Reading(value=shown(kind, value), holds=lambda test: test(value))

    return Definition(kind=kind, heading=heading, read=read)


def comparable(kind: Kind, value: Expression) -> Expression:
    """Bring a stored value into the form that criteria compare: a flag is 0 or 1, UTC becomes the database's time."""
    if kind is Kind.FLAG:
        return func.coalesce(value, 0)
    if kind.is_date and getattr(value.type, "timezone", False):
        return func.timezone(func.current_setting("TimeZone"), value, type_=DateTime())
    return value


def shown(kind: Kind, value: Expression) -> Expression:
    """Turn what is no date into NULL, and drop the time of what is a date only."""
    if not kind.is_date:
        return value
    day = func.date_trunc("day", value, type_=DateTime()) if kind is Kind.DATE else value
    return case((value.between(NO_DATE_BEFORE, NO_DATE_AFTER), day))


def is_blank(kind: Kind, value: Expression) -> Condition:
    """Say that a comparable value is empty."""
    if kind is Kind.TEXT:
        return func.coalesce(value, "") == ""
    if kind.is_date:
        return or_(value.is_(None), value < NO_DATE_BEFORE)
    if kind.is_choice:
        return func.coalesce(value, 0) == 0
    return value.is_(None)
