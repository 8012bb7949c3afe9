"""The list "BatchTasks": which tasks a query asks for, and a page of them. Every call is one short read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, select, true
from sqlalchemy.exc import OperationalError

from batchtask.database import database_errors
from batchtask.http.callers import Caller
from batchtask.http.carrier import BatchTaskInfo
from batchtask.http.problems import BadRequest
from batchtask.tables import batchtask, batchtaskdefinition
from projections.carriers import MOST, definition_ids, read_numbered
from projections.rest.odata.conditions import EXPRESSIONS, to_sql
from projections.rest.odata.operators import Asked
from projections.rest.odata.parser import parse_filter

#: Tasks on a page when `$top` says nothing.
USUAL_PAGE = 100
#: A filter that finds little among much may look at every row: longer than this it must not keep a connection busy.
LONGEST_READ_SECONDS = 5
_CANCELLED = "57014"  # https://www.postgresql.org/docs/current/errcodes-appendix.html


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """What is asked for, as far as the database is concerned."""

    filter: str = ""
    order: Sequence[tuple[str, bool]] = ()  #: columns, and whether each falls
    top: int = USUAL_PAGE
    skip: int = 0


def read_page(
    engine: Engine, caller: Caller, query: ListQuery, zone: ZoneInfo | None
) -> tuple[list[BatchTaskInfo], bool]:
    """Return the tasks of a page that the caller may see, and whether more follow.

    Raises:
        BadRequest: The filter cannot be read, or takes too long.
    """
    with database_errors(), engine.connect() as connection:
        own_zone = _begin(connection)
        now = datetime.now(zone or _zone(own_zone))
        numbers = _numbers(connection, _select(connection, caller, query, now))
        top = min(query.top, MOST)
        return read_numbered(connection, numbers[:top], zone), len(numbers) > top


def _begin(connection: Connection) -> str:
    """Limit how long each statement of the transaction may take, and return the name of the database's zone."""
    limit = func.set_config("statement_timeout", f"{LONGEST_READ_SECONDS * 1000:.0f}", true())
    name: str = connection.execute(select(limit, func.current_setting("TimeZone"))).one()[1]
    return name


def _numbers(connection: Connection, query: Select[Any]) -> list[int]:
    try:
        return list(connection.execute(query).scalars())
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELLED:
            raise
        raise BadRequest(
            f"this list takes longer than {LONGEST_READ_SECONDS} seconds; narrow $filter by associateId, state, name "
            "or id, and leave $orderBy out: the newest come first"
        ) from error


def _select(connection: Connection, caller: Caller, query: ListQuery, now: datetime) -> Select[Any]:
    """Select one number more than the page has, which tells whether another page follows."""
    found = select(batchtask.c.batchtask_id).join_from(
        batchtask,
        batchtaskdefinition,
        batchtask.c.batchtaskdefinition_id == batchtaskdefinition.c.batchtaskdefinition_id,
        isouter=True,
    )
    condition = parse_filter(query.filter, Asked(associate_id=caller.associate_id, now=now))
    if condition is not None:
        found = found.where(to_sql(condition, partial(definition_ids, connection)))
    if not caller.administrator:
        found = found.where(batchtask.c.registered_associate_id == caller.associate_id)
    return found.order_by(*_order(query.order)).limit(min(query.top, MOST) + 1).offset(query.skip)


def _order(columns: Sequence[tuple[str, bool]]) -> list[ColumnElement[Any]]:
    order = [EXPRESSIONS[name].desc() if falls else EXPRESSIONS[name].asc() for name, falls in columns]
    return [*order, batchtask.c.batchtask_id.desc()]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # a zone by its offset, which has no midnight of its own
        return ZoneInfo("UTC")
