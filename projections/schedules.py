"""Schedules: rows that say which task is submitted at which times of the clock. Synchronous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.database import database_errors
from batchtask.errors import InvalidSchedule, ScheduleExists, ScheduleNotFound
from batchtask.messages import SubmitTask
from batchtask.tables import batchtask
from batchtask.tables import schedule as table
from projections.cron import Cron
from projections.rows import State

LONGEST_NAME = 254


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule and what became of its ticks."""

    name: str
    cron: str
    time_zone: str
    task: str
    parameters: dict[str, Any]
    owner: int
    description: str
    paused: bool
    next_at: datetime  #: of the next tick; means nothing while paused
    last_at: datetime | None  #: of the last tick that submitted a task
    last_task_id: UUID | None
    last_batchtask_id: int | None  #: the number of that task
    last_state: State | None
    note: str  #: why the last tick submitted nothing, or there are no more
    noted_at: datetime | None


class Schedules:
    """Adds, lists, pauses and removes schedules. Thread-safe; each call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, name: str, cron: str, time_zone: str, command: SubmitTask) -> datetime:
        """Keep a schedule and return its first tick.

        Args:
            name: Names it in all other calls.
            cron: As of `Cron`.
            time_zone: By whose clocks.
            command: What to submit at each tick, checked against the task's definition by the caller.

        Raises:
            InvalidSchedule: Name, cron expression or time zone do not fit.
            ScheduleExists: Of this name; nothing was changed.
        """
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise InvalidSchedule(
                f"a schedule's name has 1 to {LONGEST_NAME} printable characters, no blank at its ends"
            )
        ticks = Cron(cron, time_zone)
        with database_errors(), self._engine.begin() as connection:
            next_at = ticks.next_after(_now(connection))
            values = {
                "name": name,
                "cron": cron,
                "time_zone": time_zone,
                "task": command.name,
                "parameters": command.parameters,
                "payload_ref": command.payload_ref,
                "owner": command.owner,
                "description": command.description,
                "database_tag": command.database_tag,
                "cancellation": command.cancellation,
                "paused": False,
                "next_at": next_at,
                "note": "",
            }
            added = connection.execute(insert(table).values(values).on_conflict_do_nothing().returning(table.c.name))
            if added.one_or_none() is None:
                raise ScheduleExists(name)
        return next_at

    def all(self) -> list[Schedule]:
        """Return all schedules by name, with the state of the task that each submitted last."""
        names = [name for name in Schedule.__struct_fields__ if name in table.c]
        query = (
            select(
                *(table.c[name] for name in names),
                batchtask.c.batchtask_id.label("last_batchtask_id"),
                batchtask.c.state.label("last_state"),
            )
            .join_from(table, batchtask, table.c.last_task_id == batchtask.c.task_id, isouter=True)
            .order_by(table.c.name)
        )
        with database_errors(), self._engine.connect() as connection:
            return [_schedule(row) for row in connection.execute(query).mappings()]

    def remove(self, name: str) -> None:
        """Forget a schedule; the tasks that it submitted stay.

        Raises:
            ScheduleNotFound: There is none of this name.
        """
        with database_errors(), self._engine.begin() as connection:
            _lock(connection, name)
            connection.execute(table.delete().where(table.c.name == name))

    def pause(self, name: str) -> None:
        """Let ticks pass until it is resumed.

        Raises:
            ScheduleNotFound: There is none of this name.
        """
        with database_errors(), self._engine.begin() as connection:
            _lock(connection, name)
            connection.execute(table.update().where(table.c.name == name).values(paused=True))

    def resume(self, name: str) -> datetime:
        """Go on with the next tick from now on, and return it. Ticks that passed in the pause stay passed.

        Raises:
            ScheduleNotFound: There is none of this name.
            InvalidSchedule: It has no further tick.
        """
        with database_errors(), self._engine.begin() as connection:
            found = _lock(connection, name)
            next_at = Cron(found.cron, found.time_zone).next_after(_now(connection))
            values = {"paused": False, "next_at": next_at, "note": "", "noted_at": None}
            connection.execute(table.update().where(table.c.name == name, table.c.paused).values(values))
            return next_at if found.paused else found.next_at


def _lock(connection: Connection, name: str) -> Any:
    found = connection.execute(select(table).where(table.c.name == name).with_for_update()).one_or_none()
    if found is None:
        known: Sequence[str] = connection.execute(select(table.c.name).order_by(table.c.name)).scalars().all()
        raise ScheduleNotFound(name, known)
    return found


def _now(connection: Connection) -> datetime:
    return connection.execute(select(func.now())).scalar_one()


def _schedule(row: Mapping[Any, Any]) -> Schedule:
    state = row["last_state"]
    return Schedule(**{**row, "last_state": None if state is None else State(state)})
