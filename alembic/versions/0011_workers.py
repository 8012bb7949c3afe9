"""Workers that are there, who was told to pause, and for how long tasks wait for a worker."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

UPGRADE = """
CREATE TABLE batchtask.worker (
    id text CONSTRAINT worker_pkey PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    slots integer NOT NULL,
    running integer NOT NULL,
    draining boolean NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE TABLE batchtask.pause (
    scope text CONSTRAINT pause_pkey PRIMARY KEY,
    paused_by text NOT NULL,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL
);

CREATE INDEX batchtask_waiting_idx ON crm7.batchtask (updated) WHERE state = 1 AND due_at IS NULL;
"""

DOWNGRADE = """
DROP INDEX crm7.batchtask_waiting_idx;
DROP TABLE batchtask.pause;
DROP TABLE batchtask.worker;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
