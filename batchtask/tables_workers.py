"""Tables of workers that are there, and of what was told to pause. A worker writes its own row and no other."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, PrimaryKeyConstraint, Table, Text, func

from batchtask.tables import UtcDateTime, metadata

# A sign of life: rewritten every few seconds, taken away at an orderly end, forgotten a day after a crash.
worker = Table(
    "worker",
    metadata,
    Column("id", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("started_at", UtcDateTime, nullable=False, server_default=func.clock_timestamp()),
    Column("seen_at", UtcDateTime, nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("id", name="worker_pkey"),
    schema="batchtask",
    # A page of it stays a page: rewriting a row leaves room for the next time.
    postgresql_with={"fillfactor": "50"},
)

# Who shall take nothing new: the worker with this id, or all of them where `scope` is empty.
pause = Table(
    "pause",
    metadata,
    Column("scope", Text, nullable=False),
    Column("paused_by", Text, nullable=False),
    Column("paused_at", UtcDateTime, nullable=False, server_default=func.clock_timestamp()),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("scope", name="pause_pkey"),
    schema="batchtask",
)
