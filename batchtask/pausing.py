"""Telling workers to take nothing new, all of them or one. What runs goes on to its end, what waits goes on waiting.

A worker asks every few seconds whether it is meant (`worker/presence.py`). A pause of all outlives every process, and
counts for workers that start later; that of one worker ends with it. Submitting and scheduling go on meanwhile.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine, delete, exists, literal, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.database import database_errors
from batchtask.errors import WorkerNotFound
from batchtask.tables_workers import pause, worker

#: The scope of a pause that counts for all workers.
EVERYBODY = ""


def key_of(name: str) -> str:
    """Turn a worker's name, `host/pid/boot`, into what can stand in a path: no host's name has a colon."""
    return name.replace("/", ":")


def scope_of(key: str) -> str:
    """Turn it back."""
    return key.replace(":", "/")


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause that stands."""

    paused_by: str  #: login name of whoever said so first
    paused_at: datetime  #: aware, by the database's clock
    reason: str


class Pausing:
    """Pauses workers and lets them go on. Thread-safe; each method may be repeated, by anybody and at any time.

    Args:
        engine: The database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def pause(self, by: str, reason: str = "", scope: str = EVERYBODY) -> Pause:
        """Have all workers, or one, take nothing new within some 5 s, and return the pause that stands.

        One that stands already stays as it is: who was first, since when and why.

        Args:
            by: Login name of who says so.
            reason: What others shall read.
            scope: A worker's name; empty = all.

        Raises:
            WorkerNotFound: There is no such worker.
            StoreUnavailable: It may have been kept; say it again.
        """
        known = select(literal(scope), literal(by), literal(reason)).where(
            literal(scope == EVERYBODY) | exists().where(worker.c.id == scope)
        )
        statement = insert(pause).from_select(["scope", "paused_by", "reason"], known).on_conflict_do_nothing()
        with database_errors(), self._engine.begin() as connection:
            connection.execute(statement)
            stands = standing(connection, scope)
        if stands is None:
            raise WorkerNotFound(scope)
        return stands

    def resume(self, scope: str = EVERYBODY) -> Pause | None:
        """Have them go on within some 5 s, and return the pause that ended; None when there was none.

        Raises:
            StoreUnavailable: They may go on; say it again.
        """
        statement = delete(pause).where(pause.c.scope == scope).returning(*_PAUSE)
        with database_errors(), self._engine.begin() as connection:
            ended = connection.execute(statement).mappings().one_or_none()
        return None if ended is None else Pause(**ended)

    def standing(self) -> Pause | None:
        """Return the pause of all workers, if there is one.

        Raises:
            StoreUnavailable: It cannot be asked.
        """
        with database_errors(), self._engine.connect() as connection:
            return standing(connection)


_PAUSE = tuple(pause.c[name] for name in Pause.__struct_fields__)


def standing(connection: Connection, scope: str = EVERYBODY) -> Pause | None:
    """Return the pause of a scope, over a connection that is there anyway."""
    found = connection.execute(select(*_PAUSE).where(pause.c.scope == scope)).mappings().one_or_none()
    return None if found is None else Pause(**found)
