"""Retry policies: how often, and after which pause."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.outcomes import LONGEST_WAIT_SECONDS, Cause, Snoozed
from batchtask.retrying import LARGEST_FACTOR, UNLIMITED, RetryPolicy

shares = st.floats(0, 1)
seconds = st.floats(0, LONGEST_WAIT_SECONDS)
policies = st.builds(
    RetryPolicy,
    first_delay_seconds=seconds,
    longest_delay_seconds=seconds,
    factor=st.floats(1, LARGEST_FACTOR),
    jitter=shares,
)


def test_pauses_grow_by_the_factor_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=9, first_delay_seconds=10, factor=3, longest_delay_seconds=200, jitter=0)
    assert [policy.delay_seconds(failures, 0.7) for failures in (1, 2, 3, 4, 5)] == [10, 30, 90, 200, 200]


def test_the_jitter_is_the_share_of_a_pause_that_chance_takes_away() -> None:
    policy = RetryPolicy(first_delay_seconds=10, jitter=0.2)
    assert [policy.delay_seconds(1, chance) for chance in (0, 0.5, 1)] == [10, 9, 8]


@given(policies, st.integers(1, 10**9), shares)
def test_any_pause_is_a_share_of_the_longest(policy: RetryPolicy, failures: int, chance: float) -> None:
    longest = policy.longest_delay_seconds
    pause = policy.delay_seconds(failures, chance)
    assert 0 <= pause <= longest
    assert pause >= min(policy.first_delay_seconds, longest) * (1 - policy.jitter) * (1 - 1e-9)


@given(policies, st.integers(1, 200), shares)
def test_a_later_pause_is_never_shorter(policy: RetryPolicy, failures: int, chance: float) -> None:
    assert policy.delay_seconds(failures, chance) <= policy.delay_seconds(failures + 1, chance)


def test_each_cause_has_a_budget_of_its_own() -> None:
    policy = RetryPolicy(attempts=4, time_limit_attempts=1, memory_attempts=UNLIMITED, lost_attempts=2)
    assert {cause: policy.budget(cause) for cause in Cause} == {
        Cause.ERROR: 4,
        Cause.TIME_LIMIT: 1,
        Cause.MEMORY: UNLIMITED,
        Cause.LOST_WORKER: 2,
        Cause.REJECTED: 1,
    }
    assert [policy.may_retry(Cause.ERROR, failures) for failures in (1, 3, 4, 5)] == [True, True, False, False]
    assert policy.may_retry(Cause.MEMORY, 10**9)
    assert [policy.retries(cause) for cause in (Cause.ERROR, Cause.TIME_LIMIT, Cause.MEMORY)] == [True, False, True]


def test_without_a_policy_only_a_dead_process_is_followed_by_another_try() -> None:
    assert [cause for cause in Cause if RetryPolicy().retries(cause)] == [Cause.LOST_WORKER]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", 0),
        ("attempts", -2),
        ("time_limit_attempts", 0),
        ("memory_attempts", 0),
        ("lost_attempts", 0),
        ("first_delay_seconds", -1),
        ("first_delay_seconds", math.nan),
        ("longest_delay_seconds", math.inf),
        ("factor", 0.5),
        ("factor", LARGEST_FACTOR + 1),
        ("jitter", 1.1),
        ("jitter", -0.1),
        ("jitter", math.nan),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**arguments)


@pytest.mark.parametrize("pause", [-1, LONGEST_WAIT_SECONDS + 1, math.inf, math.nan])
def test_a_snooze_that_no_date_holds_is_refused_where_it_is_written(pause: float) -> None:
    with pytest.raises(ValueError, match="snoozed"):
        Snoozed(seconds=pause)
