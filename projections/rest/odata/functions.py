"""Functions in a filter: `startswith(name,'mail')`, `previous(created,3,'day')`. Pure."""

from __future__ import annotations

from collections.abc import Callable

from projections.rest.odata.columns import COLUMNS, Kind
from projections.rest.odata.operators import Asked
from projections.rest.odata.periods import span_of
from projections.rest.odata.reading import Reader
from projections.rest.odata.syntax import Condition, During, Like, Not
from projections.rest.odata.tokens import Sort, refuse

#: Periods before or after the present one that a function reaches at most.
FARTHEST = 10_000


def read_function(reader: Reader, asked: Asked) -> Condition:
    """Read a function with what it is called with; `eq true` or `eq false` may follow, as in OData."""
    name = reader.take().text
    reader.sign("(", f"after {name}")
    condition = FUNCTIONS[name.lower()](reader, asked)
    reader.sign(")", f"at the end of {name}")
    if reader.take_if("eq", "="):
        return condition if reader.boolean() else Not(condition)
    return condition


def _column(reader: Reader, kind: Kind) -> str:
    token = reader.ahead
    column = reader.column()
    if COLUMNS[column] is not kind:
        refuse(token.position, f"expected a column that holds {kind.value}, found {column}")
    return column


def _text(*, begins: bool = False, ends: bool = False) -> Callable[[Reader, Asked], Condition]:
    def read(reader: Reader, _: Asked) -> Condition:
        # OData names the column last in `substringof` and first in the others; here either order does.
        if reader.ahead.sort is Sort.TEXT:
            text = reader.text()
            reader.sign(",", "and a column after the text")
            return Like(_column(reader, Kind.TEXT), text, begins=begins, ends=ends)
        column = _column(reader, Kind.TEXT)
        reader.sign(",", "and a text after the column")
        return Like(column, reader.text(), begins=begins, ends=ends)

    return read


def _dates(
    *, counted: bool, first: Callable[[int], int], last: Callable[[int], int]
) -> Callable[[Reader, Asked], Condition]:
    """Make a reader of `(column,period)`, or `(column,count,period)`; the row of periods depends on the count."""

    def read(reader: Reader, asked: Asked) -> Condition:
        column = _column(reader, Kind.DATE)
        reader.sign(",", "after the column")
        position = reader.ahead.position
        count = _count(reader) if counted else 1
        period = reader.period()
        assert asked.now.tzinfo is not None
        try:
            span = span_of(period, asked.now.date(), asked.now.tzinfo, first=first(count), last=last(count))
        except OverflowError:
            refuse(position, f"the calendar does not have {count} such periods there")
        return During(column, *span)

    return read


def _count(reader: Reader) -> int:
    position = reader.ahead.position
    count = reader.number()
    if not 1 <= count <= FARTHEST:
        refuse(position, f"expected how many periods, from 1 to {FARTHEST}, found {count}")
    reader.sign(",", "after how many periods")
    return count


#: By their names in lower case.
FUNCTIONS: dict[str, Callable[[Reader, Asked], Condition]] = {
    "substringof": _text(begins=True, ends=True),
    "startswith": _text(begins=True),
    "endswith": _text(ends=True),
    "this": _dates(counted=False, first=lambda _: 0, last=lambda _: 0),
    "next": _dates(counted=True, first=lambda _: 1, last=lambda count: count),
    "previous": _dates(counted=True, first=lambda count: -count, last=lambda _: -1),
    "thisandnext": _dates(counted=True, first=lambda _: 0, last=lambda count: count),
    "thisandprevious": _dates(counted=True, first=lambda count: -count, last=lambda _: 0),
    "thisandpreviousandnext": _dates(counted=False, first=lambda _: -1, last=lambda _: 1),
}
