"""Rebuilding `crm7.batchtask` from the events: filled beside the live table, compared, switched in one transaction.

The live table keeps its identity, and so its grants, views and triggers; only rows that differ are written. Readers
never wait; projectors wait for the moment of the switch and go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from batchtask.database import database_errors
from batchtask.identifiers import TaskId
from batchtask.store import EventStore, select_events
from projections.projector import COLUMN_NAMES, FIXED_NAMES, Projector

BESIDE = "batchtask.batchtask_rebuild"
LIVE = "crm7.batchtask"

#: Streams refolded at a time while projectors wait.
CATCH_UP_PAGE = 1000


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild found."""

    tasks: int  #: streams folded
    missing: int  #: rows that the live table lacked
    different: int  #: rows that said something else than their events
    orphaned: int  #: rows without events


class Rebuild:
    """Makes the rows anew. One at a time; a crash leaves the live table as it was.

    Args:
        engine: The database.
        progress: Told how many streams are folded.
    """

    def __init__(self, engine: Engine, progress: Callable[[int], None] = lambda _: None) -> None:
        self._engine = engine
        self._progress = progress
        self._store = EventStore(engine)
        self._beside = Projector(engine, BESIDE)

    def run(self) -> Rebuilt:
        """Rebuild, switch, and say what was wrong.

        Raises:
            StoreUnavailable: The live table is as it was; run it again.
        """
        with database_errors():
            self._begin()
            folded = 0
            for streams in self._store.streams():
                with self._engine.begin() as connection:
                    self._beside.write_folded(connection, streams.values())
                folded += len(streams)
                self._progress(folded)
            with self._engine.begin() as connection:
                # Projectors wait here with their writes; SELECT goes on.
                connection.execute(text(f"LOCK TABLE {LIVE} IN SHARE ROW EXCLUSIVE MODE"))
                self._catch_up(connection)
                rebuilt = _switch(connection)
                connection.execute(text(f"DROP TABLE {BESIDE}"))
            return rebuilt

    def _begin(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(f"DROP TABLE IF EXISTS {BESIDE}"))
            connection.execute(text(f"CREATE UNLOGGED TABLE {BESIDE} (LIKE {LIVE} INCLUDING ALL)"))

    def _catch_up(self, connection: Connection) -> None:
        """Fold again what happened since its stream was read: what the live table shows must not go back.

        What was removed since then is no missing row.
        """
        connection.execute(text(_FORGET_REMOVED))
        behind = connection.execute(text(_BEHIND)).scalars()
        ids = [TaskId(task_id) for task_id in behind]
        for start in range(0, len(ids), CATCH_UP_PAGE):
            page = ids[start : start + CATCH_UP_PAGE]
            streams = select_events(connection, dict.fromkeys(page, -1))
            self._beside.write_folded(connection, streams.values())


_BEHIND = f"""
SELECT live.task_id FROM {LIVE} AS live LEFT JOIN {BESIDE} AS beside USING (task_id)
WHERE beside.version IS NULL OR beside.version < live.version
"""  # noqa: S608 - names of ours only

_FORGET_REMOVED = f"""
DELETE FROM {BESIDE} AS beside
WHERE NOT EXISTS (SELECT FROM {LIVE} AS live WHERE live.task_id = beside.task_id)
  AND NOT EXISTS (SELECT FROM batchtask.event WHERE event.task_id = beside.task_id AND event.version = 0)
"""  # noqa: S608

_CONTENT = ", ".join(f"{{0}}.{name}" for name in COLUMN_NAMES if name != "batchtaskdefinition_id")
_DIFFERENT = f"({_CONTENT.format('live')}) IS DISTINCT FROM ({_CONTENT.format('beside')})"
_SET = ", ".join(f"{name} = beside.{name}" for name in COLUMN_NAMES if name not in FIXED_NAMES)


_DELETE_ORPHANED = f"""
DELETE FROM {LIVE} AS live WHERE NOT EXISTS (SELECT FROM {BESIDE} AS beside WHERE beside.task_id = live.task_id)
"""  # noqa: S608
_UPDATE_DIFFERENT = f"""
UPDATE {LIVE} AS live SET {_SET} FROM {BESIDE} AS beside WHERE live.task_id = beside.task_id AND {_DIFFERENT}
"""  # noqa: S608
_INSERT_MISSING = f"""
INSERT INTO {LIVE} SELECT beside.* FROM {BESIDE} AS beside
WHERE NOT EXISTS (SELECT FROM {LIVE} AS live WHERE live.task_id = beside.task_id)
"""  # noqa: S608


def _switch(connection: Connection) -> Rebuilt:
    return Rebuilt(
        orphaned=connection.execute(text(_DELETE_ORPHANED)).rowcount,
        different=connection.execute(text(_UPDATE_DIFFERENT)).rowcount,
        missing=connection.execute(text(_INSERT_MISSING)).rowcount,
        tasks=connection.execute(text(f"SELECT count(*) FROM {BESIDE}")).scalar_one(),  # noqa: S608
    )
