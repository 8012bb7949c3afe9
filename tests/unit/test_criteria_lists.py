from __future__ import annotations

from datetime import date

import pytest

from batchtask.definitions import TaskFailure
from worker.tasks.crm.criteria import Criterion, Group
from worker.tasks.crm.periods import FIXED, IN_DAYS, IN_PERIODS, period
from worker.tasks.crm.restrictions import Listed, build_tree

A, B, C = (Criterion(name=name, operator="is") for name in "abc")
WEDNESDAY = date(2025, 5, 14)


def test_and_binds_closer_than_or() -> None:
    tree = build_tree([Listed(node=A, or_next=True), Listed(node=B), Listed(node=C)])
    assert tree == Group(members=(Group(members=(A,)), Group(members=(B, C))), any=True)


def test_parentheses_bind_closest() -> None:
    tree = build_tree([Listed(node=A, opens=1, or_next=True), Listed(node=B, closes=1), Listed(node=C)])
    either = Group(members=(Group(members=(A,)), Group(members=(B,))), any=True)
    assert tree == Group(members=(either, C))


@pytest.mark.parametrize(("opens", "closes", "why"), [(1, 0, "not closed"), (0, 1, "not opened"), (60, 60, "deep")])
def test_parentheses_that_do_not_match_are_refused(opens: int, closes: int, why: str) -> None:
    with pytest.raises(TaskFailure, match=why):
        build_tree([Listed(node=A, opens=opens, closes=closes)])


def test_no_criteria_are_a_tree_that_always_holds() -> None:
    assert build_tree([]) == Group()


PERIODS = [
    ("thisweek", date(2025, 5, 12), date(2025, 5, 19)),
    ("lastmonth", date(2025, 4, 1), date(2025, 5, 1)),
    ("nextquarter", date(2025, 7, 1), date(2025, 10, 1)),
    ("thishalf", date(2025, 1, 1), date(2025, 7, 1)),
    ("lastyear", date(2024, 1, 1), date(2025, 1, 1)),
    ("tomorrow", date(2025, 5, 15), date(2025, 5, 16)),
]


@pytest.mark.parametrize(("name", "first", "end"), PERIODS)
def test_a_period_slides_with_the_day(name: str, first: date, end: date) -> None:
    assert FIXED[name](WEDNESDAY) == (first, end)


def test_the_last_days_end_with_today_and_the_next_begin_with_it() -> None:
    assert IN_DAYS["lastdays"](WEDNESDAY, 1) == (date(2025, 5, 13), date(2025, 5, 15))
    assert IN_DAYS["nextdays"](WEDNESDAY, 0) == (WEDNESDAY, date(2025, 5, 15))


def test_the_next_periods_leave_out_the_one_of_today() -> None:
    assert IN_PERIODS["nextperiod"](date(2024, 12, 31), 2, "month") == (date(2025, 1, 1), date(2025, 3, 1))


def test_a_period_before_the_calendar_began_is_refused() -> None:
    with pytest.raises(OverflowError):
        period(WEDNESDAY, "year", -3000, 0)
