"""Of which finished task its owner was told."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

UPGRADE = """
CREATE TABLE batchtask.told (
    task_id uuid CONSTRAINT told_pkey PRIMARY KEY,
    version integer NOT NULL,
    told_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

DOWNGRADE = """
DROP TABLE batchtask.told;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
