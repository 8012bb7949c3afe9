"""Rows of CRM tables, collected in memory with their final ids and then written at once."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, String, Table, func, insert, select
from sqlalchemy.types import DateTime

from batchtask.crm7 import allocate_ids
from batchtask.tables import sequence

Row = dict[str, Any]

#: Every sample row says it was written then, so that two loads are alike.
WRITTEN_AT = datetime(2025, 1, 2, 8, 0, tzinfo=UTC)


class SampleRows:
    """Rows by table. Ids are known before anything is written, so rows can point at one another."""

    def __init__(self, connection: Connection) -> None:
        # Locked, so that the ids handed out here are still free when the rows are written.
        taken = select(func.lower(sequence.c.tablename), sequence.c.next_id).with_for_update()
        self._next_ids: dict[str, int] = dict(connection.execute(taken).all())
        self._rows: dict[Table, list[Row]] = defaultdict(list)

    def add(self, table: Table, **values: Any) -> Row:
        """Add a row; what is not given and must not be null becomes 0, an empty text, or `WRITTEN_AT`."""
        row = {**_blank(table), **values}
        row[_key(table)] = self._next_ids[table.name]
        self._next_ids[table.name] += 1
        self._rows[table].append(row)
        return row

    def remove(self, table: Table, row: Row) -> None:
        self._rows[table].remove(row)

    def of(self, table: Table) -> list[Row]:
        return self._rows[table]

    def write(self, connection: Connection) -> None:
        for table, rows in self._rows.items():
            allocate_ids(connection, table, max(row[_key(table)] for row in rows) + 1 - self._first_id(table))
            connection.execute(insert(table), rows)

    def _first_id(self, table: Table) -> int:
        return min(int(row[_key(table)]) for row in self._rows[table])


def _key(table: Table) -> str:
    return next(iter(table.primary_key.columns)).name


@cache
def _blank(table: Table) -> Row:
    return {column.name: _default(column) for column in table.columns}


def _default(column: Column[Any]) -> object:
    if column.nullable:
        return None
    if isinstance(column.type, DateTime):
        return WRITTEN_AT if column.type.timezone else WRITTEN_AT.replace(tzinfo=None)
    return "" if isinstance(column.type, String) else 0
