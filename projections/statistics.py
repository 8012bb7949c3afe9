"""What was done over the last hours, as points of a chart; read from the minutes that `roll_up` keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Engine, func, select, text

from batchtask.database import database_errors
from batchtask.tables_statistics import minute_statistics as minutes

#: A chart shows no more points than this.
MOST_POINTS = 180
#: Minutes that a point may stand for; each divides a day.
WIDTHS = (1, 2, 5, 10, 15, 20, 30, 60, 120)
LONGEST_HOURS = 336
#: The name of the rows that sum up all definitions.
ALL = ""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in some minutes."""

    at: datetime  #: when they begin, UTC
    submitted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    wait_seconds_avg: float = 0.0  #: from the submission, or the time it was due, to the first attempt
    wait_seconds_max: float = 0.0
    run_seconds_avg: float = 0.0  #: of attempts that ended, but for those whose worker vanished


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """A chart's data, oldest first; the last point is not over yet."""

    minutes_per_point: int
    points: list[Point]


def minutes_per_point(hours: int) -> int:
    """Return the least width that keeps a chart of so many hours readable."""
    return next(width for width in WIDTHS if hours * 60 / width <= MOST_POINTS)


def read_statistics(engine: Engine, hours: int, name: str = ALL) -> Statistics:
    """Return what was done, of one definition or of all; minutes in which nothing happened are zeros.

    Args:
        engine: The database.
        hours: From 1 to `LONGEST_HOURS`, back from now.
        name: Of the definition; empty = all.

    Raises:
        StoreUnavailable: Ask again.
    """
    width = minutes_per_point(hours)
    step = width * 60
    with database_errors(), engine.connect() as connection:
        now: datetime = connection.execute(text("SELECT now()")).scalar_one()
        last = int(now.timestamp()) // step * step
        starts = range(last - hours * 3600 + step, last + 1, step)
        begin = func.floor(func.extract("epoch", minutes.c.minute) / step) * step
        query = (
            select(
                begin.label("begin"),
                *(func.sum(minutes.c[column]).label(column) for column in _SUMMED),
                func.max(minutes.c.longest_wait_seconds).label("wait_seconds_max"),
            )
            .where(minutes.c.name == name, minutes.c.minute >= datetime.fromtimestamp(starts[0], UTC))
            .group_by(text("1"))
        )
        found = {int(row["begin"]): row for row in connection.execute(query).mappings()}
    return Statistics(minutes_per_point=width, points=[_point(start, found.get(start)) for start in starts])


_COUNTED = ("submitted", "succeeded", "failed", "cancelled")
_SUMMED = (*_COUNTED, "waits", "wait_seconds", "runs", "run_seconds")


def _point(start: int, sums: Mapping[Any, Any] | None) -> Point:
    at = datetime.fromtimestamp(start, UTC)
    if sums is None:
        return Point(at=at)
    return Point(
        at=at,
        **{column: sums[column] for column in _COUNTED},
        wait_seconds_avg=round(sums["wait_seconds"] / max(sums["waits"], 1), 3),
        wait_seconds_max=round(sums["wait_seconds_max"], 3),
        run_seconds_avg=round(sums["run_seconds"] / max(sums["runs"], 1), 3),
    )
