"""Keeping the log lines of tasks: one insert for many. A crash of the worker loses less than a second of them."""

from __future__ import annotations

import logging
from collections import Counter
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


#: Lines that wait at most, as many as are written in a moment. The database may be away for long.
LARGEST = 20_000


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
        self._dropped: Counter[tuple[UUID, int]] = Counter()

    def add(self, line: Line) -> None:
        """Keep a line; one that comes while too many wait is counted only."""
        if len(self._lines) < LARGEST:
            self._lines.append(line)
        else:
            self._dropped[line.task_id, line.attempt] += 1

    def take(self) -> list[Line]:
        """Give all lines away, and say in the log of a task how many of its lines are missing."""
        lines, self._lines = self._lines, []
        dropped, self._dropped = self._dropped, Counter()
        now = datetime.now(UTC)
        return lines + [
            Line(task_id, attempt, now, logging.WARNING, f"{count} lines are missing here: too many at a time")
            for (task_id, attempt), count in dropped.items()
        ]

    def write(self, lines: Sequence[Line]) -> None:
        """Insert lines.

        Raises:
            StoreUnavailable: They were not written; they may be written again.
        """
        with database_errors(), self._engine.begin() as connection:
            connection.exec_driver_sql(_INSERT, (storable(msgspec.json.encode(lines)),))
