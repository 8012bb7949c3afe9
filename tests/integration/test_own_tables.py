"""The tables of schema `batchtask`, as the migrations make them and as the code knows them."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, NullPool, Table, create_engine, text

from batchtask.tables_statistics import minute_statistics, statistics_progress
from batchtask.tables_told import told
from batchtask.tables_workers import pause, worker

TABLES = (worker, pause, minute_statistics, statistics_progress, told)


def known(tables: tuple[Table, ...]) -> MetaData:
    metadata = MetaData()
    for table in tables:
        table.to_metadata(metadata)
    return metadata


def test_the_migrated_tables_are_those_that_the_code_knows(engine: Engine) -> None:
    names = {table.name for table in TABLES}

    def is_ours(name: str | None, kind: str, parents: object) -> bool:
        return name == "batchtask" if kind == "schema" else kind != "table" or name in names

    options = {"include_schemas": True, "include_name": is_ours, "compare_type": True}
    # Not even the schema that is called like the user is looked for in: it would be told as no schema at all.
    apart = create_engine(engine.url, connect_args={"options": "-csearch_path=public"}, poolclass=NullPool)
    with apart.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, known(TABLES)) == []


@pytest.mark.parametrize(
    "question",
    [
        "SELECT min(updated) FROM crm7.batchtask WHERE state = 1 AND due_at IS NULL",
        "SELECT count(*) FROM crm7.batchtask WHERE state = 1 AND due_at IS NULL",
    ],
)
def test_how_long_tasks_wait_is_told_by_an_index(engine: Engine, question: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off; SET enable_bitmapscan = off"))
        plan = "\n".join(connection.execute(text(f"EXPLAIN {question}")).scalars())

    assert "batchtask_waiting_idx" in plan
