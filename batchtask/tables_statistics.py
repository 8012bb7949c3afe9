"""Minutes of what was done: a summary of `batchtask.event` that charts are drawn from, and that can be made anew."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Double, Integer, PrimaryKeyConstraint, Table, Text, text

from batchtask.tables import UtcDateTime, metadata

# One row for each minute and definition in which anything happened, and one with an empty name for all of them.
minute_statistics = Table(
    "minute_statistics",
    metadata,
    Column("name", Text, nullable=False),
    Column("minute", UtcDateTime, nullable=False),
    Column("submitted", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    # From the submission, or the time it was due, to the beginning of the first attempt.
    Column("waits", Integer, nullable=False),
    Column("wait_seconds", Double, nullable=False),
    Column("longest_wait_seconds", Double, nullable=False),
    # Of attempts that ended, however they did, but for those whose worker vanished.
    Column("runs", Integer, nullable=False),
    Column("run_seconds", Double, nullable=False),
    Column("longest_run_seconds", Double, nullable=False),
    PrimaryKeyConstraint("name", "minute", name="minute_statistics_pkey"),
    schema="batchtask",
)

# One row: how far the minutes are final, and when anybody looked last.
statistics_progress = Table(
    "statistics_progress",
    metadata,
    Column("one", Boolean, nullable=False, server_default=text("true")),
    Column("final_until", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("one", name="statistics_progress_pkey"),
    CheckConstraint("one", name="statistics_progress_one_check"),
    schema="batchtask",
)
