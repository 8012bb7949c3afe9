"""Ticks of cron expressions, above all where clocks change; and expressions that nobody can read."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.errors import InvalidSchedule
from projections.cron import Cron

OSLO = ZoneInfo("Europe/Oslo")  # clocks go from 02:00 to 03:00 on 29 March 2026, from 03:00 to 02:00 on 25 October


def ticks(expression: str, start: str, count: int) -> list[str]:
    """The ticks after a time of Oslo's clocks, by the same clocks and with their offset from UTC."""
    cron, at, found = Cron(expression, "Europe/Oslo"), datetime.fromisoformat(start).replace(tzinfo=OSLO), []
    for _ in range(count):
        at = cron.next_after(at)
        found.append(at.astimezone(OSLO).strftime("%m-%d %H:%M%z")[:-2])
    return found


def test_a_daily_time_stays_the_same_by_the_clocks_of_its_zone() -> None:
    assert ticks("0 7 * * *", "2026-03-27T12:00", 3) == ["03-28 07:00+01", "03-29 07:00+02", "03-30 07:00+02"]


def test_a_time_that_does_not_exist_is_moved_to_the_first_that_does() -> None:
    assert ticks("30 2 * * *", "2026-03-28T01:00", 3) == ["03-28 02:30+01", "03-29 03:00+02", "03-30 02:30+02"]


def test_a_time_that_exists_twice_counts_once() -> None:
    assert ticks("30 2 * * *", "2026-10-24T12:00", 2) == ["10-25 02:30+02", "10-26 02:30+01"]


def test_a_time_that_exists_twice_has_passed_in_its_second_hour() -> None:
    in_second_hour = datetime(2026, 10, 25, 2, 10, tzinfo=OSLO, fold=1)

    tick = Cron("30 2 * * *", "Europe/Oslo").next_after(in_second_hour)

    assert tick == datetime(2026, 10, 26, 2, 30, tzinfo=OSLO)


def test_what_runs_every_half_hour_keeps_its_pace_when_clocks_change() -> None:
    spring = ticks("*/30 * * * *", "2026-03-29T01:15", 3)
    autumn = ticks("*/30 * * * *", "2026-10-25T02:15", 4)

    assert spring == ["03-29 01:30+01", "03-29 03:00+02", "03-29 03:30+02"]
    assert autumn == ["10-25 02:30+02", "10-25 02:00+01", "10-25 02:30+01", "10-25 03:00+01"]


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("@hourly", "03-02 13:00+01"),
        ("@daily", "03-03 00:00+01"),
        ("@Monthly", "04-01 00:00+02"),
        ("0 9 * * mon-fri", "03-03 09:00+01"),
        ("0 9 l * *", "03-31 09:00+02"),
    ],
)
def test_expressions_that_people_write(expression: str, first: str) -> None:
    assert ticks(expression, "2026-03-02T12:34", 1) == [first]


@pytest.mark.parametrize(
    "expression", ["", "every day", "* * * *", "61 * * * *", "0 0 30 2 *", "*/0 * * * *", "½ * * * *"]
)
def test_an_expression_that_cannot_be_read_is_refused_in_words(expression: str) -> None:
    with pytest.raises(InvalidSchedule, match=r"^cron expression '.*' cannot be read \(.+\); it has five fields"):
        Cron(expression, "UTC")


@pytest.mark.parametrize("expression", ["9" * 5000 + " * * * *", "* " * 2000])
def test_a_monstrous_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidSchedule, match="at most 1000 characters"):
        Cron(expression, "UTC")


def test_an_expression_that_never_comes_true_is_refused() -> None:
    cron = Cron("* * */20 * 1L", "UTC")

    with pytest.raises(InvalidSchedule, match="names no time in the next 50 years"):
        cron.next_after(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["", "Oslo", "Europe", "../etc/passwd", "/etc/passwd", "Europe/Oslo\0", "x" * 5000])
def test_a_time_zone_that_is_not_known_is_refused_in_words(zone: str) -> None:
    with pytest.raises(InvalidSchedule, match=r"time zone '.*' is not known here; use a name of the IANA database"):
        Cron("@daily", zone)


EXPRESSIONS = st.sampled_from(
    ["30 2 * * *", "0 */3 * * *", "*/20 * * * *", "15 1-4 * 3,10 sun", "0 2 l * *", "5 4 1 * *"]
)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))


@given(EXPRESSIONS, st.sampled_from(["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "UTC"]), MOMENTS)
def test_ticks_rise_and_none_lies_between_a_moment_and_the_tick_after_it(
    expression: str, zone: str, at: datetime
) -> None:
    cron = Cron(expression, zone)

    first = cron.next_after(at)

    between = at + (first - at) / 2
    assert at <= between < first
    assert cron.next_after(between) == first
    following = [first]
    for _ in range(3):
        following.append(cron.next_after(following[-1]))
    assert all(earlier < later for earlier, later in pairwise(following))
