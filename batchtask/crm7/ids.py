"""Ids of new rows. Whoever inserts into a CRM table takes them here, or the CRM will hand them out again."""

from __future__ import annotations

from sqlalchemy import Connection, Table, text

# Two inserters must not be given one block: the row lock of UPDATE holds the second until the first commits.
# The CRM writes names there in mixed case.
_TAKE = text("UPDATE crm7.sequence SET next_id = next_id + :count WHERE lower(tablename) = :name RETURNING next_id")


def allocate_ids(connection: Connection, table: Table, count: int) -> range:
    """Take `count` unused primary keys of `table`; the block is the caller's once its transaction commits.

    Raises:
        LookupError: `crm7.sequence` knows no such table.
    """
    next_id = connection.execute(_TAKE, {"count": count, "name": table.name}).scalar_one_or_none()
    if next_id is None:
        raise LookupError(f"crm7.sequence has no row for {table.name!r}; run `batchtask migrate`")
    return range(next_id - count, next_id)
