"""Of which ended tasks their owners were told; `producer/rest/told.py` notes it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, func, select

from batchtask.database import database_errors
from batchtask.identifiers import TaskId
from batchtask.tables_told import told, version_of_end


def told_among(engine: Engine, task_ids: Sequence[TaskId]) -> set[TaskId]:
    """Return those of some ended tasks whose last end was told.

    Raises:
        StoreUnavailable: It cannot be asked.
    """
    if not task_ids:
        return set()
    query = select(told.c.task_id).where(
        told.c.task_id == func.any(list(task_ids)), told.c.version >= version_of_end(told.c.task_id)
    )
    with database_errors(), engine.connect() as connection:
        return {TaskId(found) for found in connection.execute(query).scalars()}
