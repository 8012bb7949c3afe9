"""Whether a running task was asked to stop, in its row: the pages had to read its events for that."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"

# Asked during the attempt that runs, as far as the row knows: the rest is still to be projected.
UPGRADE = """
ALTER TABLE crm7.batchtask ADD COLUMN stopping boolean NOT NULL DEFAULT false;

UPDATE crm7.batchtask AS task SET stopping = true
WHERE task.state = 3 AND EXISTS (
    SELECT FROM batchtask.event AS wish
    WHERE wish.task_id = task.task_id AND wish.type = 'CancelRequested' AND wish.version <= task.version
    AND wish.version > (
        SELECT max(start.version) FROM batchtask.event AS start
        WHERE start.task_id = task.task_id AND start.type = 'AttemptStarted' AND start.version <= task.version
    )
);
"""

DOWNGRADE = """
ALTER TABLE crm7.batchtask DROP COLUMN stopping;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
