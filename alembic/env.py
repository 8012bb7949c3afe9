"""Alembic's entry point: runs the migrations on the connection that `batchtask.migrations` hands in."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, text


def run(connection: Connection) -> None:
    # The version table lies in our own schema, which the first migration would otherwise have to create too late.
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS batchtask"))
    connection.commit()
    context.configure(connection=connection, version_table_schema="batchtask", transaction_per_migration=False)
    with context.begin_transaction():
        # Two migrations at once: the second waits here and then finds nothing to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(7243001)"))
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from batchtask.database import make_engine
    from batchtask.settings import Settings

    with make_engine(Settings.read(os.environ).require_database()).connect() as connection:
        run(connection)
        connection.commit()
