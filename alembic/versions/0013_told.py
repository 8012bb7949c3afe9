"""Of which finished task its owner was told."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"

UPGRADE = """
"""

DOWNGRADE = """
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
