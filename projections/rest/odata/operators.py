"""What may be said of a column: the operators of each kind, and the conditions they read. Pure.

Names are compared in lower case. Each entry reads the values behind its operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from projections.rest.odata.columns import COLUMNS, Kind
from projections.rest.odata.periods import Span, span_of
from projections.rest.odata.reading import Reader
from projections.rest.odata.syntax import Condition, During, Holds, Like, Not, OneOf, Within
from projections.rest.odata.tokens import refuse


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a filter means by "now" and "me"."""

    associate_id: int  #: whoever asks
    now: datetime  #: in the zone whose days are meant


Operator = Callable[[Reader, str, Asked], Condition]

_CURRENT = {"this": 0, "last": -1, "next": 1}


def read_comparison(reader: Reader, asked: Asked) -> Condition:
    """Read a column, an operator, and the values it takes."""
    name = reader.column()
    token = reader.take()
    operators = OPERATORS[COLUMNS[name]]
    operator = operators.get(token.text.lower())
    if operator is None:
        expected = ", ".join(operators) or "nothing: it is shown only"
        refuse(token.position, f"{token} is no operator for {name}, which takes {expected}")
    return operator(reader, name, asked)


def _values(reader: Reader, read: Callable[[], int]) -> tuple[int, ...]:
    """Read values with commas between them, in parentheses or not."""
    enclosed = reader.take_if("(")
    values = [read()]
    while reader.take_if(","):
        values.append(read())
    if enclosed:
        reader.sign(")", "or a comma after a value")
    return tuple(values)


def _spans(reader: Reader) -> tuple[Span, Span]:
    enclosed = reader.take_if("(")
    first = reader.span()
    reader.sign(",", "between the two dates")
    last = reader.span()
    if enclosed:
        reader.sign(")", "after the second date")
    return first, last


def _between(reader: Reader, name: str, read: Callable[[], int]) -> Condition:
    position = reader.ahead.position
    values = _values(reader, read)
    if len(values) != 2:
        refuse(position, f"between takes two values, as (1,5), not {len(values)}")
    return Within(name, *values)


def _whole_numbers(read: Callable[[Reader], int]) -> dict[str, Operator]:
    def equal(reader: Reader, name: str, _: Asked) -> Condition:
        return OneOf(name, (read(reader),))

    def some(reader: Reader, name: str, _: Asked) -> Condition:
        return OneOf(name, _values(reader, lambda: read(reader)))

    def at_most(reader: Reader, name: str, _: Asked) -> Condition:
        return Within(name, last=read(reader))

    def at_least(reader: Reader, name: str, _: Asked) -> Condition:
        return Within(name, first=read(reader))

    def between(reader: Reader, name: str, _: Asked) -> Condition:
        return _between(reader, name, lambda: read(reader))

    return {
        "eq": equal, "=": equal, "equals": equal, "ne": _not(equal), "unequals": _not(equal),
        "lt": _not(at_least), "less": _not(at_least), "le": at_most,
        "gt": _not(at_most), "greater": _not(at_most), "ge": at_least,
        "between": between, "set": some, "oneof": some, "notoneof": _not(some),
    }  # fmt: skip


def _not(operator: Operator) -> Operator:
    return lambda reader, name, asked: Not(operator(reader, name, asked))


def _like(*, begins: bool = False, ends: bool = False) -> Operator:
    return lambda reader, name, _: Like(name, reader.text(), begins=begins, ends=ends)


def _is(reader: Reader, name: str, _: Asked) -> Condition:
    return Holds(name) if reader.boolean() else Not(Holds(name))


def _on(reader: Reader, name: str, _: Asked) -> Condition:
    return During(name, *reader.span())


def _before(reader: Reader, name: str, _: Asked) -> Condition:
    return During(name, end=reader.span()[0])


def _until(reader: Reader, name: str, _: Asked) -> Condition:
    return During(name, end=reader.span()[1])


def _after(reader: Reader, name: str, _: Asked) -> Condition:
    return During(name, start=reader.span()[1])


def _since(reader: Reader, name: str, _: Asked) -> Condition:
    return During(name, start=reader.span()[0])


def _date_between(reader: Reader, name: str, _: Asked) -> Condition:
    first, last = _spans(reader)
    return During(name, first[0], last[1])


def _in_period(period: str, shift: int) -> Operator:
    return lambda _, name, asked: During(name, *_present(period, asked, first=shift, last=shift))


def _before_today(_: Reader, name: str, asked: Asked) -> Condition:
    return During(name, end=_present("day", asked)[0])


def _after_today(_: Reader, name: str, asked: Asked) -> Condition:
    return During(name, start=_present("day", asked)[1])


def _present(period: str, asked: Asked, *, first: int = 0, last: int = 0) -> Span:
    assert asked.now.tzinfo is not None
    return span_of(period, asked.now.date(), asked.now.tzinfo, first=first, last=last)


_NUMBERS = _whole_numbers(Reader.number)
_is_text = _like()
OPERATORS: Mapping[Kind, Mapping[str, Operator]] = {
    Kind.NUMBER: _NUMBERS,
    Kind.STATE: _whole_numbers(Reader.state),
    Kind.ASSOCIATE: {
        **_NUMBERS,
        "associateisoneof": _NUMBERS["oneof"],
        "associateisnotoneof": _NUMBERS["notoneof"],
        "currentassociate": lambda _, name, asked: OneOf(name, (asked.associate_id,)),
    },
    Kind.TEXT: {
        "eq": _is_text, "=": _is_text, "equals": _is_text, "is": _is_text,
        "ne": _not(_is_text), "unequals": _not(_is_text), "isnot": _not(_is_text),
        "begins": _like(begins=True), "notbegins": _not(_like(begins=True)),
        "contains": _like(begins=True, ends=True), "notcontains": _not(_like(begins=True, ends=True)),
    },
    Kind.BOOLEAN: {
        "eq": _is, "=": _is, "equals": _is, "is": _is, "ne": _not(_is), "unequals": _not(_is), "isnot": _not(_is),
    },
    Kind.DATE: {
        "eq": _on, "=": _on, "equals": _on, "date": _on, "ne": _not(_on), "unequals": _not(_on),
        "lt": _before, "less": _before, "before": _before, "le": _until,
        "gt": _after, "greater": _after, "after": _after, "ge": _since,
        "between": _date_between, "datebetween": _date_between,
        "beforetoday": _before_today, "today": _in_period("day", 0), "aftertoday": _after_today,
        **{
            f"{word}{period}": _in_period(period, shift)
            for period in ("week", "month", "quarter", "half", "year")
            for word, shift in _CURRENT.items()
        },
    },
    Kind.SHOWN: {},
}  # fmt: skip
