"""Charts: the right width, zeros where nothing happened, sums and means over minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert

from batchtask.tables_statistics import minute_statistics
from projections.statistics import ALL, LONGEST_HOURS, MOST_POINTS, Point, minutes_per_point, read_statistics

NOTHING = {column.name: 0 for column in minute_statistics.columns if column.name not in {"name", "minute"}}


@pytest.fixture(autouse=True)
def no_minutes(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(delete(minute_statistics))


def happened(engine: Engine, minute: datetime, name: str = ALL, **sums: float) -> None:
    with engine.begin() as connection:
        connection.execute(insert(minute_statistics).values(NOTHING | {"name": name, "minute": minute} | sums))


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def busy(points: list[Point]) -> list[Point]:
    return [point for point in points if point != Point(at=point.at)]


@given(st.integers(1, LONGEST_HOURS))
def test_a_chart_of_any_length_can_be_read_and_drawn(hours: int) -> None:
    width = minutes_per_point(hours)

    assert hours * 60 / width <= MOST_POINTS
    assert 24 * 60 % width == 0


@pytest.mark.parametrize(
    ("hours", "width"), [(1, 1), (3, 1), (4, 2), (12, 5), (24, 10), (72, 30), (168, 60), (336, 120)]
)
def test_widths_are_those_that_people_count_in(hours: int, width: int) -> None:
    assert minutes_per_point(hours) == width


@pytest.mark.parametrize("hours", [1, 5, 24, 167, 336])
def test_where_nothing_happened_are_zeros(engine: Engine, hours: int) -> None:
    found = read_statistics(engine, hours)

    width = timedelta(minutes=found.minutes_per_point)
    assert len(found.points) == hours * 60 // found.minutes_per_point
    assert all(point == Point(at=point.at) for point in found.points)
    assert {later.at - point.at for point, later in zip(found.points, found.points[1:], strict=False)} == {width}
    assert found.points[-1].at <= datetime.now(UTC) < found.points[-1].at + width + timedelta(seconds=5)


def test_minutes_of_a_point_are_added_and_waits_are_weighted(engine: Engine) -> None:
    start = read_statistics(engine, 24).points[-3].at
    first: dict[str, Any] = {"submitted": 3, "succeeded": 2, "failed": 1, "cancelled": 0}
    happened(engine, start, waits=3, wait_seconds=30, longest_wait_seconds=20, runs=1, run_seconds=4, **first)
    happened(engine, start + timedelta(minutes=9), submitted=1, waits=1, wait_seconds=2, longest_wait_seconds=2)
    happened(engine, start + timedelta(minutes=10), cancelled=1)

    points = busy(read_statistics(engine, 24).points)

    assert points == [
        Point(
            at=start,
            submitted=4,
            succeeded=2,
            failed=1,
            wait_seconds_avg=8,
            wait_seconds_max=20,
            run_seconds_avg=4,
        ),
        Point(at=start + timedelta(minutes=10), cancelled=1),
    ]


def test_one_definition_is_told_from_all(engine: Engine) -> None:
    happened(engine, this_minute(), submitted=5)
    happened(engine, this_minute(), "report", submitted=2)

    assert [point.submitted for point in busy(read_statistics(engine, 1, "report").points)] == [2]
    assert [point.submitted for point in busy(read_statistics(engine, 1).points)] == [5]
    assert busy(read_statistics(engine, 1, "unknown").points) == []


def test_what_is_older_than_asked_for_stays_out(engine: Engine) -> None:
    happened(engine, this_minute() - timedelta(minutes=61), submitted=5)

    assert busy(read_statistics(engine, 1).points) == []
