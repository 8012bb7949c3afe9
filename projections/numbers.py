"""Numbers of the original's making: ids from `crm7.sequence`, given to tasks and to definitions."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, select

from batchtask.crm7 import allocate_ids
from batchtask.definition_rows import definition_id
from batchtask.tables import batchtask, task_number

#: Ids taken at a time, so that projectors seldom wait for each other. A restart wastes at most this many.
BLOCK = 100

_NUMBER = """
INSERT INTO batchtask.task_number (task_id, batchtask_id)
SELECT * FROM json_to_recordset(%s::json) AS row (task_id uuid, batchtask_id int)
ON CONFLICT ON CONSTRAINT task_number_pkey DO NOTHING
RETURNING task_id, batchtask_id
"""


class TaskNumbers:
    """Gives every task the number that users and the original's API know it by. One thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._free: deque[int] = deque()

    def numbers(self, connection: Connection, task_ids: Collection[UUID]) -> dict[UUID, int]:
        """Return the tasks' numbers, given now or before; once given, a number stays for ever."""
        if not task_ids:
            return {}
        found = self._existing(connection, task_ids)
        missing = sorted(set(task_ids) - found.keys())
        if missing:
            self._reserve(len(missing))
            rows = [{"task_id": task_id, "batchtask_id": self._free.popleft()} for task_id in missing]
            given = connection.exec_driver_sql(_NUMBER, (msgspec.json.encode(rows).decode(),))
            found.update({row[0]: row[1] for row in given})
            # Another projector was first with some of them; its transaction has ended by now.
            found.update(self._existing(connection, set(task_ids) - found.keys()))
        return found

    def _existing(self, connection: Connection, task_ids: Collection[UUID]) -> dict[UUID, int]:
        if not task_ids:
            return {}
        query = select(task_number.c.task_id, task_number.c.batchtask_id).where(task_number.c.task_id.in_(task_ids))
        return {row.task_id: row.batchtask_id for row in connection.execute(query)}

    def _reserve(self, count: int) -> None:
        if len(self._free) < count:
            with self._engine.begin() as connection:
                self._free += allocate_ids(connection, batchtask, max(BLOCK, count))


class DefinitionNumbers:
    """Finds the newest definition row of a name, and remembers it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, int] = {}

    def number(self, name: str) -> int:
        if name not in self._known:
            with self._engine.begin() as connection:
                self._known[name] = definition_id(connection, name)
        return self._known[name]
