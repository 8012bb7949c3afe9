"""Conditions as SQL, every value a bound parameter. No condition is null: what holds not, its negation does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, assert_never

import msgspec
from sqlalchemy import ColumnElement, Integer, and_, cast, false, func, literal, not_, or_, true

from batchtask.http.callers import SYSTEM
from batchtask.http.carrier import bare_name
from batchtask.tables import batchtask, batchtaskdefinition
from projections.carriers import started_at, stored_name
from projections.rest.odata.syntax import Condition, During, Either, Every, Holds, Like, Not, OneOf, Within

_row = batchtask.c


def _number(column: ColumnElement[Any]) -> ColumnElement[int]:
    # Wide enough for every number that a filter may name, also where the column is a smallint.
    return func.coalesce(cast(column, Integer), 0)


#: What a column is compared and sorted as: as it is shown, so an empty text or 0 where the row has none.
EXPRESSIONS: dict[str, ColumnElement[Any]] = {
    "id": _row.batchtask_id,
    "name": func.coalesce(batchtaskdefinition.c.name, ""),
    "associateId": _row.registered_associate_id,
    "detailsTable": _number(_row.detailstable),
    "detailsRecord": _number(_row.detailsrecord),
    "isSystemTask": _row.registered_associate_id == SYSTEM,
    "isInternalTask": literal(value=False),
    "lastStarted": started_at,
    "created": _row.registered,
    "startCount": _number(_row.startcount),
    "databaseSerialNumber": _row.dbtag,
    "state": _row.state,
    "description": _row.description,
    "response": func.coalesce(_row.response, ""),
    "request": func.coalesce(_row.request, ""),
    "progressDescription": func.coalesce(_row.progressdescription, ""),
    "progressPercent": _number(_row.progresspercent),
    "fileName": func.coalesce(_row.filename, ""),
}


#: Finds the definitions whose name is like that. They are few, and their ids let the index find the tasks in order.
NamedLike = Callable[[ColumnElement[bool]], Sequence[int]]


def to_sql(condition: Condition, named_like: NamedLike) -> ColumnElement[bool]:
    """Turn a condition into SQL over `crm7.batchtask`; it needs no join."""
    match condition:
        case Every(parts):
            return and_(true(), *(to_sql(part, named_like) for part in parts))
        case Either(parts):
            return or_(false(), *(to_sql(part, named_like) for part in parts))
        case Not(part):
            return not_(to_sql(part, named_like))
        case OneOf(column, numbers):
            return EXPRESSIONS[column].in_(numbers)
        case Within(column, first, last):
            return _within(EXPRESSIONS[column], first, last)
        case Like(column="name"):
            ids = named_like(_like(stored_name, msgspec.structs.replace(condition, text=bare_name(condition.text))))
            return _row.batchtaskdefinition_id.is_not(None) & _row.batchtaskdefinition_id.in_(ids)
        case Like(column):
            return _like(EXPRESSIONS[column], condition)
        case During(column, start, end):
            value = EXPRESSIONS[column]
            return value.is_not(None) & (value >= start if start else true()) & (value < end if end else true())
        case Holds(column):
            return and_(EXPRESSIONS[column])
        case _:
            assert_never(condition)


def _within(value: ColumnElement[Any], first: int | None, last: int | None) -> ColumnElement[bool]:
    return and_(
        true(),
        *([value >= first] if first is not None else []),
        *([value <= last] if last is not None else []),
    )


def _like(value: ColumnElement[Any], wanted: Like) -> ColumnElement[bool]:
    literal = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return value.ilike(f"{'%' if wanted.ends else ''}{literal}{'%' if wanted.begins else ''}", escape="\\")
