"""One clock for everybody: the database's. A server whose own clock is wrong, or is set, changes nothing.

Between two looks the time goes on by the monotonic clock, which nobody sets.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, func, select

from batchtask.database import database_errors

#: How often to look: oscillators drift by some 50 µs a second, a few milliseconds in this time.
SYNC_SECONDS = 60.0


class DatabaseClock:
    """Tells the database's time without asking it. Thread-safe; ask `sync` once before the first `now`.

    Args:
        engine: The database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mark: tuple[datetime, float] | None = None

    def sync(self) -> None:
        """Look at the database's clock.

        Raises:
            StoreUnavailable: It cannot be asked; the time goes on from the last look.
        """
        with database_errors(), self._engine.connect() as connection:
            self.sync_over(connection)

    def sync_over(self, connection: Connection) -> None:
        """Look at the database's clock over a connection that is there anyway."""
        before = time.monotonic()
        at: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        self._mark = (at.astimezone(UTC), (before + time.monotonic()) / 2)

    def now(self) -> datetime:
        """The database's time, aware UTC."""
        assert self._mark is not None, "ask sync first"
        at, seen = self._mark
        return at + timedelta(seconds=time.monotonic() - seen)
