"""A table that shows whether the tasks `tally` and `tally-leased` took effect exactly once."""

from __future__ import annotations

from sqlalchemy import text

from batchtask.identifiers import TaskId
from tests.system import System

STEPS = 3


def make_tally(system: System) -> None:
    with system.engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS tally"))
        connection.execute(text("CREATE TABLE tally (task_id uuid NOT NULL, step int NOT NULL)"))


def tallied(system: System) -> list[tuple[TaskId, int]]:
    """What was inserted: each task's steps, in order; a step that took effect twice is there twice."""
    with system.engine.connect() as connection:
        rows = connection.execute(text("SELECT task_id, step FROM tally"))
        return sorted((TaskId(row.task_id), row.step) for row in rows)
