"""The newest tasks of a definition in a state, found in order: a rare pair was looked for among all tasks."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"

UPGRADE = """
CREATE INDEX batchtask_definition_state_newest_idx
    ON crm7.batchtask (batchtaskdefinition_id, state, batchtask_id);
DROP INDEX crm7.batchtask_definition_state_idx;
"""

DOWNGRADE = """
CREATE INDEX batchtask_definition_state_idx ON crm7.batchtask (batchtaskdefinition_id, state);
DROP INDEX crm7.batchtask_definition_state_newest_idx;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
