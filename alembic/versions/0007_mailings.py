"""Mailings and their recipients, consents."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

NUMBERS: dict[str, int] = {}

UPGRADE = """
SELECT 1;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for name, number in NUMBERS.items():
        op.execute(f"INSERT INTO crm7.sequence VALUES ({number} + 10, 1, '{name}', {number})")


def downgrade() -> None:
    for name, number in NUMBERS.items():
        op.execute(f"DROP TABLE crm7.{name}")
        op.execute(f"DELETE FROM crm7.sequence WHERE tablenumber = {number}")
