"""The way to PostgreSQL: engines, and one place where the driver's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from batchtask.errors import SchemaMissing, SettingsError, StoreUnavailable

#: The newest migration under alembic/versions; a test holds it to be true.
SCHEMA_REVISION = "0003"

# Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_NO_TABLE = {"42P01", "3F000"}
#: Insufficient privilege; read-only transaction, as on a standby after a failover. Every write meets them.
_REFUSES_ALL = {"42501", "25006"}
#: "Program limit exceeded": the driver calls it operational, and yet it is for what was to be written.
_LIMIT_OF_CONTENT = "54"


def make_engine(url: str, *, pool_size: int = 5, pre_ping: bool = False) -> Engine:
    """Make an engine; nothing connects yet.

    Args:
        url: Of the database.
        pool_size: Connections that are kept.
        pre_ping: Try each connection before it is used, for callers that cannot repeat what they do after a loss.

    Raises:
        SettingsError: The URL cannot be read.
    """
    try:
        return create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            pool_size=pool_size,
            pool_pre_ping=pre_ping,
            connect_args={"connect_timeout": 5, "application_name": "batchtask"},
        )
    except Exception as error:
        raise SettingsError([f"BATCHTASK_DATABASE_URL cannot be used: {error}"]) from error


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        StoreUnavailable: The server is away, refuses the login or the right, only reads, or the connection broke.
        SchemaMissing: A table is not there.
        DBAPIError: What was to be written is at fault, or the statement: trying again will not help.
    """
    try:
        yield
    except DBAPIError as error:
        code = getattr(error.orig, "sqlstate", None) or ""
        if code in _NO_TABLE:
            raise SchemaMissing("nothing", SCHEMA_REVISION) from error
        if error.connection_invalidated or code in _REFUSES_ALL:
            raise StoreUnavailable(_first_line(error)) from error
        if isinstance(error, OperationalError | InterfaceError) and not code.startswith(_LIMIT_OF_CONTENT):
            raise StoreUnavailable(_first_line(error)) from error
        raise


def require_schema(engine: Engine) -> None:
    """Hold that the database is migrated to this release or a newer one.

    Raises:
        SchemaMissing: It is not.
        StoreUnavailable: It cannot be asked.
    """
    with database_errors(), engine.connect() as connection:
        seen = connection.execute(text("SELECT version_num FROM batchtask.alembic_version")).scalar()
    if seen is None or seen < SCHEMA_REVISION:
        raise SchemaMissing(seen or "nothing", SCHEMA_REVISION)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
