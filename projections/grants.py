"""Granting turns: of each definition whose runs never overlap, one task is released at a time. Synchronous.

All others stay due without an event, however long that takes; the one that waits longest is next.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from batchtask import turns
from batchtask.database import database_errors
from batchtask.errors import MessageError
from batchtask.identifiers import TaskId
from batchtask.tables import batchtask
from batchtask.tables import batchtaskdefinition as definition
from batchtask.turns import Distance
from projections.rows import State

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Exclusive:
    """A definition whose runs never overlap, as a worker announced it last."""

    name: str
    distance: Distance
    ids: list[int]  #: of its rows, one for each version


class Grants:
    """Says who is next. As many processes as one likes.

    Args:
        engine: The database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def grant_due(self) -> list[int]:
        """Name the next task of each definition whose turn is free, and return the ids of all such definitions.

        A crash afterwards leaves the task next: it is due, so that it is released by whoever follows.

        Raises:
            StoreUnavailable: Some may have been granted; call again.
        """
        with database_errors(), self._engine.begin() as connection:
            exclusive = _exclusive(connection)
        for one in exclusive:
            try:
                with database_errors(), self._engine.begin() as connection:
                    _grant(connection, one)
            except MessageError:
                logger.exception("turn cannot be granted", extra={"name_of_task": one.name})
        return [number for one in exclusive for number in one.ids]


def _exclusive(connection: Connection) -> list[_Exclusive]:
    """All definitions that keep a distance; of several versions in use, the one announced last counts."""
    columns = definition.c.name, definition.c.startinterval, definition.c.minimumsleeptime
    query = select(definition.c.batchtaskdefinition_id, *columns).order_by(definition.c.updated.desc())
    found: dict[str, _Exclusive] = {}
    for number, name, start_to_start, end_to_start in connection.execute(query):
        found.setdefault(name, _Exclusive(name, Distance(start_to_start, end_to_start), [])).ids.append(number)
    return [one for one in found.values() if one.distance.is_kept]


def _grant(connection: Connection, exclusive: _Exclusive) -> None:
    waiting = connection.execute(
        select(batchtask.c.task_id, func.now().label("at"))
        .where(
            batchtask.c.batchtaskdefinition_id.in_(exclusive.ids),
            batchtask.c.state == State.New,
            batchtask.c.due_at <= func.now(),
        )
        .order_by(batchtask.c.due_at, batchtask.c.task_id)
        .limit(1)
    ).one_or_none()
    # Whoever has the lock claims or grants at this moment: there is nothing to grant then.
    if waiting is None or not turns.try_lock(connection, exclusive.name):
        return
    standing = turns.look(connection, exclusive.name, waiting.at)
    if standing.running is not None or standing.next is not None:
        return
    free_at = standing.free_at(exclusive.distance)
    if free_at is None or free_at <= waiting.at:
        turns.promise(connection, exclusive.name, TaskId(waiting.task_id))
