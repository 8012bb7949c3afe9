"""Advisory locks of the database: two kinds of work that must not meet, whatever processes do them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from batchtask.database import database_errors


class Lock(enum.IntEnum):
    """The keys in use; a migration's is in alembic/env.py."""

    #: Shared by whoever begins old tasks anew, exclusive for whoever removes them: a replay whose stream vanished
    #: between its reading and its writing would be lost.
    RETENTION = 7243002
    #: Whoever sums up the minutes for the charts; others leave it to them.
    STATISTICS = 7243003


@contextmanager
def advisory_lock(engine: Engine, lock: Lock, *, shared: bool = False) -> Iterator[None]:
    """Wait for a lock and hold it; it ends with the block, or with the process.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    kind = "_shared" if shared else ""
    with database_errors(), engine.connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")  # held outside of any transaction
        connection.execute(text(f"SELECT pg_advisory_lock{kind}(:key)"), {"key": lock})
        try:
            yield
        finally:
            connection.execute(text(f"SELECT pg_advisory_unlock{kind}(:key)"), {"key": lock})
