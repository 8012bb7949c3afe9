from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from batchtask import crm7
from batchtask.crm7 import allocate_ids


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    tables = {table.name for table in crm7.metadata.tables.values()}
    return name == "crm7" if kind == "schema" else kind != "table" or name in tables


def test_the_migrated_tables_are_those_that_the_code_knows(database_url: str) -> None:
    engine = create_engine(database_url)
    options = {"include_schemas": True, "include_name": _is_ours, "compare_type": True}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, crm7.metadata) == []
    engine.dispose()


def test_ids_are_handed_out_once(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        first = allocate_ids(connection, crm7.contact, 3)
        second = allocate_ids(connection, crm7.contact, 2)
    engine.dispose()
    assert [*first, *second] == [1, 2, 3, 4, 5]
