"""What the tests agree on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Table

UNTIL = date(2026, 3, 1)

AddSale = Callable[..., int]


def defaults_of(table: Table) -> dict[str, Any]:
    """A value for each column that must have one."""
    known: dict[type, Any] = {int: 0, str: "", float: 0.0, datetime: datetime(1760, 1, 1, tzinfo=UTC)}
    return {column.name: known[column.type.python_type] for column in table.columns if not column.nullable}
