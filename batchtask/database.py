"""The way to PostgreSQL: engines, and one place where the driver's errors become ours."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from batchtask.errors import SchemaMissing, SettingsError, StoreBusy, StoreUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: The newest migration under alembic/versions; a test holds it to be true.
SCHEMA_REVISION = "0015"

# Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_NO_TABLE = {"42P01", "3F000"}
#: Insufficient privilege; read-only transaction, as on a standby after a failover. Every write meets them.
_REFUSES_ALL = {"42501", "25006"}
#: A transaction of ours that says nothing for so long is ended by the server. Whoever is frozen in one, or whose host
#: has vanished, would keep its locks until TCP gives up, hours later: workers wait for them, each with all its tasks.
#: Three times what the scheduler waits for confirms. A guess.
IDLE_SECONDS = 15
#: A host that vanished without a word is noticed by the other side after some 30 s, not after the hours that are
#: TCP's default: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES, and for the server's
#: side https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS
_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
#: "Program limit exceeded": the driver calls it operational, and yet it is for what was to be written.
_LIMIT_OF_CONTENT = "54"
_LOCKED = "55P03"
#: Before a database that is away is asked again. A guess.
PAUSE_SECONDS = 0.5


def make_engine(
    url: str,
    *,
    pool_size: int = 5,
    pre_ping: bool = False,
    idle_seconds: float | None = IDLE_SECONDS,
    lock_seconds: float | None = None,
) -> Engine:
    """Make an engine; nothing connects yet.

    Args:
        url: Of the database.
        pool_size: Connections that are kept; 0 = none, each is closed after its use.
        pre_ping: Try each connection before it is used, for callers that cannot repeat what they do after a loss.
        idle_seconds: The server ends a transaction in which nothing is said for so long; None = as it is set up.
        lock_seconds: A statement that waits for a lock for so long ends with `StoreBusy`; None = it waits.

    Raises:
        SettingsError: The URL cannot be read.
    """
    try:
        engine = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1),
            # What a database has as its default may be another: whoever waits for a lock must see what was committed
            # meanwhile.
            isolation_level="READ COMMITTED",
            **({"pool_size": pool_size, "pool_pre_ping": pre_ping} if pool_size else {"poolclass": NullPool}),
            connect_args={"connect_timeout": 5, "application_name": "batchtask", **_ALIVE},
        )
    except Exception as error:
        raise SettingsError([f"BATCHTASK_DATABASE_URL cannot be used: {error}"]) from error
    event.listen(engine, "connect", partial(_limit_locks, idle_seconds, lock_seconds))
    return engine


def _limit_locks(
    idle_seconds: float | None, lock_seconds: float | None, connection: DBAPIConnection, _: object
) -> None:
    """Have the server find out soon that we vanished, or stand still, and give back what we locked."""
    settings = {f"tcp_{name}" if name.startswith("keepalives") else name: value for name, value in _ALIVE.items()}
    if idle_seconds is not None:
        settings["idle_in_transaction_session_timeout"] = round(idle_seconds * 1000)
    if lock_seconds is not None:
        settings["lock_timeout"] = round(lock_seconds * 1000)
    with closing(connection.cursor()) as cursor:
        cursor.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))
    connection.commit()


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        StoreBusy: A lock was waited for in vain.
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
        if code == _LOCKED:
            raise StoreBusy(_first_line(error)) from error
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


def patiently(act: Callable[[], T]) -> T:
    """Repeat what may be repeated until the database answers: while it is away, nobody can take the task over."""
    told = False
    while True:
        try:
            with database_errors():
                return act()
        except StoreUnavailable as error:
            if not told:
                logger.warning("waiting: %s", error)
            told = True
            time.sleep(PAUSE_SECONDS)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
