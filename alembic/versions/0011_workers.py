"""Workers that are there, and who was told to pause."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"

UPGRADE = """
"""

DOWNGRADE = """
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
