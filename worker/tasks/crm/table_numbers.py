"""The numbers by which the CRM's rows point at tables: of rights, criteria and user-defined fields."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from batchtask.tables import sequence


def load_table_numbers(connection: Connection) -> dict[str, int]:
    """Return the numbers of all tables by lower-case name; they may differ between databases."""
    numbered = select(func.lower(sequence.c.tablename), sequence.c.tablenumber)
    known = numbered.where(sequence.c.tablename.is_not(None), sequence.c.tablenumber.is_not(None))
    return dict(connection.execute(known).all())
