"""Minutes of what was done, for charts."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"

UPGRADE = """
"""

DOWNGRADE = """
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
