"""The state of everything in a dozen numbers, each from an index or from the minutes: cheap on millions of rows."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Engine, text

from batchtask.database import database_errors
from batchtask.pausing import standing
from projections.workers import count_slots

# The states are written out: only then the planner knows that the partial index fits. Nobody counts what succeeded.
_TASKS = text("""
    SELECT (SELECT count(*) FROM crm7.batchtask WHERE state = 1 AND due_at IS NULL) AS waiting,
           (SELECT count(*) FROM crm7.batchtask WHERE due_at IS NOT NULL) AS delayed,
           (SELECT count(*) FROM crm7.batchtask WHERE state = 3) AS started,
           (SELECT count(*) FROM crm7.batchtask WHERE state = 5) AS dead
""")
_OLDEST = text("""
    SELECT extract(epoch FROM clock_timestamp() - min(updated))::double precision
    FROM crm7.batchtask WHERE state = 1 AND due_at IS NULL
""")
_TODAY = text("""
    SELECT coalesce(sum(succeeded), 0), coalesce(sum(failed), 0) FROM batchtask.minute_statistics
    WHERE name = '' AND minute >= date_trunc('day', now())
""")


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Where all tasks are, and who works on them."""

    waiting: int  #: for a worker
    delayed: int  #: for a time: scheduled, snoozed, or about to be tried again
    started: int
    succeeded_today: int  #: since midnight in the database's time zone; some seconds behind
    failed_today: int
    dead: int  #: failed or were stopped, whenever that was
    oldest_waiting_seconds: (
        float | None
    )  #: since when the longest waiting task could have been taken; None = none waits
    workers_alive: int
    slots: int  #: of workers that are alive
    slots_busy: int
    paused: bool  #: all workers were told to take nothing new


def read_overview(engine: Engine) -> Overview:
    """Count.

    Raises:
        StoreUnavailable: Ask again.
    """
    with database_errors(), engine.connect() as connection:
        tasks = connection.execute(_TASKS).mappings().one()
        oldest = _oldest(connection)
        succeeded, failed = connection.execute(_TODAY).one()
        alive, slots, busy = count_slots(connection)
        paused = standing(connection) is not None
    return Overview(
        **tasks,
        oldest_waiting_seconds=oldest,
        succeeded_today=succeeded,
        failed_today=failed,
        workers_alive=alive,
        slots=slots,
        slots_busy=busy,
        paused=paused,
    )


def oldest_waiting_seconds(engine: Engine) -> float | None:
    """Return for how long the longest waiting task could have been taken by a worker; None when none waits.

    Raises:
        StoreUnavailable: Ask again.
    """
    with database_errors(), engine.connect() as connection:
        return _oldest(connection)


def _oldest(connection: Connection) -> float | None:
    seconds: float | None = connection.execute(_OLDEST).scalar_one()
    return None if seconds is None else max(seconds, 0.0)  # whoever recorded it may have a clock that is ahead
