"""Which failures of the database are waited out, and which are the fault of what was to be written."""

from __future__ import annotations

import socket

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from batchtask.database import database_errors, make_engine
from batchtask.errors import SchemaMissing, StoreUnavailable
from tests.udef_support import with_defaults


def run(engine: Engine, *statements: str) -> None:
    with database_errors(), engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.parametrize(
    "statements",
    [
        # A standby after a failover, and rights taken away: every task would meet them, so none is at fault.
        ("SET TRANSACTION READ ONLY", "DELETE FROM batchtask.log_line"),
        ("CREATE ROLE nobody_much", "SET LOCAL ROLE nobody_much", "SELECT FROM batchtask.event"),
        ("SELECT pg_terminate_backend(pg_backend_pid())",),
    ],
    ids=["read only", "no rights", "connection broken"],
)
def test_what_every_write_meets_is_waited_out(engine: Engine, statements: tuple[str, ...]) -> None:
    with pytest.raises(StoreUnavailable):
        run(engine, *statements)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 99999999999::int",
        # The driver calls this operational; waiting for it to pass would never end.
        "CREATE TEMPORARY TABLE t AS SELECT string_agg(md5(n::text), '') AS a FROM generate_series(1, 400) n;"
        "CREATE INDEX ON t (a)",
    ],
    ids=["number out of range", "too long for an index"],
)
def test_content_that_does_not_fit_is_not_waited_out(engine: Engine, statement: str) -> None:
    with pytest.raises(DBAPIError):
        run(engine, statement)


def test_transactions_see_what_was_committed_meanwhile_whatever_the_database_has_as_its_default(
    database_url: str,
) -> None:
    engine = make_engine(with_defaults(database_url, default_transaction_isolation="serializable"))
    with engine.connect() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT 1"))
    with engine.connect() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    engine.dispose()


def test_a_missing_table_asks_for_a_migration(engine: Engine) -> None:
    with pytest.raises(SchemaMissing):
        run(engine, "SELECT FROM batchtask.nothing_of_this_name")


def test_a_transaction_in_which_nothing_is_said_keeps_no_locks(engine: Engine) -> None:
    frozen = make_engine(engine.url.render_as_string(hide_password=False), idle_seconds=0.1)
    try:
        with frozen.connect() as connection:
            connection.rollback()  # what holds for the session must not go with its first transaction
            connection.execute(text("SELECT pg_advisory_xact_lock(4711)"))
            run(engine, "SELECT pg_advisory_xact_lock(4711)")  # waits for it
            with pytest.raises(StoreUnavailable), database_errors():
                connection.execute(text("SELECT 1"))
    finally:
        frozen.dispose()


def test_a_server_that_vanished_is_noticed_within_a_minute(engine: Engine) -> None:
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with socket.fromfd(driver.fileno(), socket.AF_INET, socket.SOCK_STREAM) as link:
            probes = [
                link.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            ]
            assert probes[0] + probes[1] * probes[2] <= 60
            assert 0 < link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000


@pytest.mark.parametrize("idle_seconds", [None, 15])
def test_a_client_that_vanished_keeps_its_locks_for_less_than_a_minute(
    engine: Engine, idle_seconds: float | None
) -> None:
    fresh = make_engine(engine.url.render_as_string(hide_password=False), idle_seconds=idle_seconds)
    with fresh.connect() as connection:
        connection.rollback()
        query = text("SELECT setting::int FROM pg_settings WHERE name LIKE 'tcp%' ORDER BY name")
        count, idle, interval, user_timeout_ms = connection.execute(query).scalars()
    fresh.dispose()
    assert 0 < idle + count * interval <= 60
    assert 0 < user_timeout_ms <= 60_000
