"""Keeping the log lines of tasks: one insert for many. A crash of the worker loses less than a second of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from sqlalchemy import Engine

from batchtask.database import database_errors
from batchtask.store import storable

_INSERT = """
INSERT INTO batchtask.log_line (task_id, attempt, logged_at, level, text)
SELECT * FROM json_to_recordset(%s::json)
    AS row (task_id uuid, attempt int, logged_at timestamptz, level smallint, text text)
"""

#: Task code may use levels of its own; the column is a small integer.
LARGEST_LEVEL = 2**15 - 1


class Line(msgspec.Struct, frozen=True):
    """One line that an attempt logged."""

    task_id: UUID
    attempt: int
    logged_at: datetime
    level: int  #: as in `logging`
    text: str

    @classmethod
    def at(cls, task_id: UUID, attempt: int, logged_at: float, level: int, text: str) -> Line:
        return cls(task_id, attempt, datetime.fromtimestamp(logged_at, UTC), min(level, LARGEST_LEVEL), text)


class Logbook:
    """Gathers lines on the event loop; `write` takes them away in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lines: list[Line] = []

    def add(self, line: Line) -> None:
        self._lines.append(line)

    def take(self) -> list[Line]:
        lines, self._lines = self._lines, []
        return lines

    def write(self, lines: Sequence[Line]) -> None:
        """Insert lines.

        Raises:
            StoreUnavailable: They were not written; they may be written again.
        """
        with database_errors(), self._engine.begin() as connection:
            connection.exec_driver_sql(_INSERT, (storable(msgspec.json.encode(lines)),))
