"""Of which finished task its owner was told: written by the command side, read by the query side."""

from __future__ import annotations

from sqlalchemy import Column, Integer, PrimaryKeyConstraint, ScalarSelect, Table, Uuid, func, select

from batchtask.events import EVENT_TYPES, TERMINAL_EVENTS
from batchtask.tables import UtcDateTime, event, metadata

told = Table(
    "told",
    metadata,
    Column("task_id", Uuid, nullable=False),
    # Of the end that was told: a task that is begun anew ends again.
    Column("version", Integer, nullable=False),
    Column("told_at", UtcDateTime, nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("task_id", name="told_pkey"),
    schema="batchtask",
)

_ENDS = sorted(name for name, type_ in EVENT_TYPES.items() if type_ in TERMINAL_EVENTS)


def version_of_end(task_id: object) -> ScalarSelect[int]:
    """Tell in SQL the version of a task's last end; null when it never ended.

    Args:
        task_id: A column or a value.
    """
    end = event.alias("end")  # the query around it may read events, too
    return (
        select(end.c.version)
        .where(end.c.task_id == task_id, end.c.type.in_(_ENDS))
        .order_by(end.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )
