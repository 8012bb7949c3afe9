"""Numbers of the original's making: ids from `crm7.sequence`, given to tasks and to definitions."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from batchtask.tables import batchtaskdefinition, sequence, task_number

#: A table's row in `crm7.sequence` is its number plus ten.
TASK_SEQUENCE, DEFINITION_SEQUENCE = 253, 254
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
                self._free += take_ids(connection, TASK_SEQUENCE, max(BLOCK, count))


def take_ids(connection: Connection, sequence_id: int, count: int) -> range:
    """Take a block of ids as the original does: raise `next_id`, own what lies below."""
    statement = (
        update(sequence)
        .where(sequence.c.id == sequence_id)
        .values(next_id=sequence.c.next_id + count)
        .returning(sequence.c.next_id)
    )
    following = connection.execute(statement).scalar_one()
    return range(following - count, following)


class DefinitionNumbers:
    """Finds the newest definition row of a name; makes an empty one for a name that no worker announced yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, int] = {}

    def number(self, name: str) -> int:
        if name not in self._known:
            with self._engine.begin() as connection:
                self._known[name] = _newest(connection, name) or _make(connection, name)
        return self._known[name]


def _newest(connection: Connection, name: str) -> int | None:
    return connection.execute(
        select(func.max(batchtaskdefinition.c.batchtaskdefinition_id)).where(batchtaskdefinition.c.name == name)
    ).scalar()


def _make(connection: Connection, name: str) -> int:
    now = datetime.now(UTC)
    values = {
        "batchtaskdefinition_id": take_ids(connection, DEFINITION_SEQUENCE, 1)[0],
        "name": name,
        "description": "",
        "ismultipass": 0,
        "startinterval": 0,
        "minimumsleeptime": 0,
        "timeout": 0,
        "autorestartcount": 0,
        "assemblyversion": "",
        "registered": now,
        "registered_associate_id": 0,
        "updated": now,
        "updated_associate_id": 0,
        "updatedcount": 0,
    }
    connection.execute(insert(batchtaskdefinition).values(values).on_conflict_do_nothing())
    found = _newest(connection, name)
    assert found is not None
    return found
