"""Minutes of what was done, for charts."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

UPGRADE = """
CREATE TABLE batchtask.minute_statistics (
    name text NOT NULL,
    minute timestamptz NOT NULL,
    submitted integer NOT NULL,
    succeeded integer NOT NULL,
    failed integer NOT NULL,
    cancelled integer NOT NULL,
    waits integer NOT NULL,
    wait_seconds double precision NOT NULL,
    longest_wait_seconds double precision NOT NULL,
    runs integer NOT NULL,
    run_seconds double precision NOT NULL,
    longest_run_seconds double precision NOT NULL,
    CONSTRAINT minute_statistics_pkey PRIMARY KEY (name, minute)
);

CREATE TABLE batchtask.statistics_progress (
    one boolean NOT NULL DEFAULT true CONSTRAINT statistics_progress_pkey PRIMARY KEY,
    final_until timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    CONSTRAINT statistics_progress_one_check CHECK (one)
);
"""

DOWNGRADE = """
DROP TABLE batchtask.statistics_progress;
DROP TABLE batchtask.minute_statistics;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
