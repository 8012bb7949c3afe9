"""Passwords and service tokens of those who call the web application."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"

UPGRADE = """
"""

DOWNGRADE = """
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
