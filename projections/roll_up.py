"""Summing up what was done, minute by minute, for the charts: from the events, so that it can be made anew.

A minute is computed again until it is final, and then never again. That costs some 10 µs for each task; a pass that
took long is followed by a long pause, so that it never takes more than a twentieth of one processor.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert

from batchtask.database import database_errors
from batchtask.locks import Lock
from batchtask.tables import event
from batchtask.tables_statistics import minute_statistics, statistics_progress

#: Minutes are kept for so long: a day more than anybody can ask for.
KEPT = timedelta(days=15)
#: Summed up in one pass at most, as after an upgrade or when no projections ran for long.
SPAN = timedelta(hours=6)
#: An event turns up with the commit of its transaction: older than this, none will. Twice what the database lets a
#: transaction of ours stand still (`IDLE_SECONDS`).
LATE = timedelta(seconds=30)
#: Pause between two passes, and how much longer than a pass it is at least.
PAUSE_SECONDS, SHARE = 10.0, 19

_SUM_UP = text("""
    WITH news AS MATERIALIZED (
        SELECT task_id, type, occurred_at,
               date_trunc('minute', recorded_at) AS minute,
               (data ->> 'fence')::integer AS fence,
               data ->> 'name' AS name,
               coalesce((data ->> 'start_at')::timestamptz, occurred_at) AS due_at
        FROM batchtask.event
        WHERE recorded_at >= :since AND recorded_at < :until
          AND type IN ('TaskSubmitted', 'AttemptStarted', 'AttemptFailed', 'AttemptTimedOut', 'AttemptInterrupted',
                       'AttemptSnoozed', 'PassCompleted', 'TaskSucceeded', 'TaskFailed', 'TaskCancelled')
    ),
    -- Nearly always what belongs together is among the news. One by one only for the rest, by the primary key.
    submission AS MATERIALIZED (
        SELECT task_id, name, due_at FROM news WHERE type = 'TaskSubmitted'
        UNION ALL
        SELECT task_id, earlier.* FROM (
            SELECT task_id FROM news EXCEPT SELECT task_id FROM news WHERE type = 'TaskSubmitted'
        ) AS without_submission
        CROSS JOIN LATERAL (
            SELECT data ->> 'name', coalesce((data ->> 'start_at')::timestamptz, occurred_at)
            FROM batchtask.event WHERE event.task_id = without_submission.task_id AND version = 0 LIMIT 1
        ) AS earlier
    ),
    ended AS MATERIALIZED (
        SELECT task_id, fence, minute, occurred_at FROM news
        WHERE type IN ('AttemptFailed', 'AttemptTimedOut', 'AttemptInterrupted', 'AttemptSnoozed', 'PassCompleted',
                       'TaskSucceeded')
    ),
    began AS MATERIALIZED (
        SELECT task_id, fence, occurred_at FROM news WHERE type = 'AttemptStarted'
        UNION ALL
        SELECT task_id, fence, earlier.occurred_at FROM (
            SELECT task_id, fence FROM ended EXCEPT SELECT task_id, fence FROM news WHERE type = 'AttemptStarted'
        ) AS without_beginning
        CROSS JOIN LATERAL (
            SELECT occurred_at FROM batchtask.event
            WHERE event.task_id = without_beginning.task_id AND type = 'AttemptStarted'
              AND (data ->> 'fence')::integer = without_beginning.fence
            LIMIT 1
        ) AS earlier
    ),
    fact AS (
        SELECT task_id, minute, type,
               CASE WHEN type = 'AttemptStarted' AND fence = 1 THEN occurred_at END AS begun_at,
               NULL::interval AS ran
        FROM news
        UNION ALL
        SELECT task_id, minute, NULL, NULL, greatest(ended.occurred_at - began.occurred_at, '0')
        FROM ended JOIN began USING (task_id, fence)
    ),
    told AS (
        SELECT name, minute, type,
               CASE WHEN begun_at IS NOT NULL THEN extract(epoch FROM greatest(begun_at - due_at, '0')) END AS waited,
               extract(epoch FROM ran) AS ran
        FROM fact JOIN submission USING (task_id)
    )
    SELECT coalesce(name, '') AS name, minute,
           count(*) FILTER (WHERE type = 'TaskSubmitted') AS submitted,
           count(*) FILTER (WHERE type = 'TaskSucceeded') AS succeeded,
           count(*) FILTER (WHERE type = 'TaskFailed') AS failed,
           count(*) FILTER (WHERE type = 'TaskCancelled') AS cancelled,
           count(waited) AS waits, coalesce(sum(waited), 0)::double precision AS wait_seconds,
           coalesce(max(waited), 0)::double precision AS longest_wait_seconds,
           count(ran) AS runs, coalesce(sum(ran), 0)::double precision AS run_seconds,
           coalesce(max(ran), 0)::double precision AS longest_run_seconds
    FROM told GROUP BY GROUPING SETS ((name, minute), (minute))
""").columns(*minute_statistics.c)
#: Compiling it costs half of what it saves, and 4 MB, the default, would go over the disk.
_PREPARE = text("SET LOCAL jit = off; SET LOCAL work_mem = '32MB'")


class RollUp:
    """Keeps `batchtask.minute_statistics`. Any number of processes at once: one of them does the work.

    Args:
        engine: The database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self) -> float:
        """Sum up what is new, and return after how many seconds to come again.

        A crash leaves the minutes as they were; repeating it changes nothing.

        Raises:
            StoreUnavailable: Nothing was written; come again.
        """
        with database_errors(), self._engine.begin() as connection:
            if not connection.execute(select(func.pg_try_advisory_xact_lock(Lock.STATISTICS))).scalar_one():
                return PAUSE_SECONDS
            now, final_until, next_at = _progress(connection)
            if now < next_at:
                return (next_at - now).total_seconds()
            until = min(now, final_until + SPAN)
            _sum_up(connection, final_until, until)
            return _note(connection, now, _final(until, now), caught_up=until == now)


def _progress(connection: Connection) -> tuple[datetime, datetime, datetime]:
    """The time, up to when the minutes are final, and when to go on."""
    query = select(func.now(), statistics_progress.c.final_until, statistics_progress.c.next_at)
    found = connection.execute(query).one_or_none()
    if found is None:
        connection.execute(insert(statistics_progress).values(final_until=_beginning(), next_at=func.now()))
        found = connection.execute(query).one()
    now, final_until, next_at = found
    return now, max(final_until, _minute(now - KEPT)), next_at


def _beginning() -> object:
    oldest = select(func.min(event.c.recorded_at)).where(event.c.recorded_at > func.now() - KEPT).scalar_subquery()
    return func.date_trunc("minute", func.coalesce(oldest, func.now()))


def _sum_up(connection: Connection, since: datetime, until: datetime) -> None:
    connection.execute(_PREPARE)
    statement = insert(minute_statistics).from_select(list(minute_statistics.c.keys()), _SUM_UP)
    fresh = {name: statement.excluded[name] for name in minute_statistics.c.keys() if name not in {"name", "minute"}}  # noqa: SIM118
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name", "minute"], set_=fresh),
        {"since": since, "until": until},
    )
    connection.execute(minute_statistics.delete().where(minute_statistics.c.minute < func.now() - KEPT))


def _final(until: datetime, now: datetime) -> datetime:
    return _minute(min(until, now - LATE))


def _note(connection: Connection, began_at: datetime, final_until: datetime, *, caught_up: bool) -> float:
    ended_at: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    took_seconds = (ended_at - began_at).total_seconds()
    pause = max(took_seconds * SHARE, PAUSE_SECONDS if caught_up else 0)
    next_at = func.clock_timestamp() + timedelta(seconds=pause)
    connection.execute(statistics_progress.update().values(final_until=final_until, next_at=next_at))
    return pause


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
