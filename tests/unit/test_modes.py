"""Hold or lease, by the broker's version, its timeout and what the tasks may take."""

from __future__ import annotations

import math

import pytest

from batchtask.broker.ack_timeout import DEFAULT_SECONDS, QueueLimits, ack_timeout
from batchtask.broker.silence import Look, Silence
from batchtask.definitions import Acknowledge, Registry, TaskContext, TaskDefinition, task
from batchtask.errors import SettingsError
from batchtask.settings import Settings
from worker.acknowledging import Acknowledging
from worker.modes import Service, modes

OLD, MIDDLE, NEW = (3, 10), (4, 0), (4, 3)


def definition(name: str, timeout: int, acknowledge: Acknowledge = Acknowledge.AUTO) -> TaskDefinition:
    @task(name, timeout=timeout, acknowledge=acknowledge)
    def code(context: TaskContext) -> None:
        """Do nothing."""

    return code


def test_without_any_word_the_brokers_default_counts() -> None:
    found = ack_timeout(OLD, 0, QueueLimits())
    assert found.seconds == DEFAULT_SECONDS
    assert str(found) == "1800 s (the broker's default, as BATCHTASK_CONSUMER_TIMEOUT is not set)"


def test_an_infinite_setting_says_that_the_broker_has_no_timeout() -> None:
    settings = Settings.read({"BATCHTASK_CONSUMER_TIMEOUT": "inf"})
    assert str(ack_timeout(MIDDLE, settings.consumer_timeout, QueueLimits())) == "none (BATCHTASK_CONSUMER_TIMEOUT)"
    assert math.isinf(settings.consumer_timeout)


@pytest.mark.parametrize(
    ("version", "limits", "seconds"),
    [
        (OLD, QueueLimits(argument=60, policy=90), 3600),  # neither is known to it
        ((3, 11), QueueLimits(policy=90), 3600),
        ((3, 12), QueueLimits(policy=90), 90),
        (MIDDLE, QueueLimits(argument=60, policy=90), 60),  # the smaller one, against what is told in many places
        (NEW, QueueLimits(argument=90, policy=60), 60),
        (MIDDLE, QueueLimits(policy=7200), 7200),  # may be more than the node's
        (MIDDLE, QueueLimits(), 3600),
    ],
)
def test_the_queues_own_limits_count_by_version(
    version: tuple[int, ...], limits: QueueLimits, seconds: float
) -> None:
    assert ack_timeout(version, 3600, limits).seconds == seconds


def test_what_ends_well_before_the_timeout_is_held_and_everything_else_leased() -> None:
    definitions = [
        definition("short", 100),
        definition("just-fits", 1709),  # with 30 s to drain and 60 s of slack
        definition("just-not", 1710),
        definition("unlimited", 0),
        definition("wants-lease", 10, Acknowledge.LEASE),
    ]
    found = modes(definitions, Service(task_timeout=-1, drain_seconds=30), 1800)
    assert found.held == {"short", "just-fits"}
    assert found.leased == {"just-not", "unlimited", "wants-lease"}


def test_a_limit_of_the_service_makes_an_unlimited_task_one_that_can_be_held() -> None:
    assert modes([definition("unlimited", 0)], Service(task_timeout=600, drain_seconds=30), 1800).held == {
        "unlimited"
    }


def test_without_a_timeout_even_unlimited_tasks_are_held() -> None:
    found = modes([definition("unlimited", 0)], Service(task_timeout=-1, drain_seconds=30), None)
    assert found.held == {"unlimited"}


def test_every_task_that_demands_to_be_held_and_cannot_be_is_named_with_what_to_change() -> None:
    definitions = [definition("days", 0, Acknowledge.HOLD), definition("hours", 7200, Acknowledge.HOLD)]
    found = modes(definitions, Service(task_timeout=-1, drain_seconds=30), 1800, "the broker's default")
    assert found.leased == {"days", "hours"}
    with pytest.raises(SettingsError) as refused:
        found.require()
    assert "task 'days' demands that its message is held, but it may run without a time limit" in str(refused.value)
    assert "for up to 7200 s" in str(refused.value)
    assert "timeout of 1800 s (the broker's default): give it a shorter timeout" in str(refused.value)


def test_from_4_3_on_the_worker_states_a_timeout_that_fits_what_demands_to_be_held() -> None:
    known = Acknowledging(Settings(), Registry([definition("hours", 7200, Acknowledge.HOLD), definition("any", 0)]))

    modes_there, arguments = known.subscribing(NEW)
    assert (modes_there.held, modes_there.leased, modes_there.refused) == ({"hours"}, {"any"}, ())
    assert arguments == {"x-consumer-timeout": 7_350_000}

    modes_there, arguments = known.subscribing(MIDDLE)  # after a reconnect to an older one
    assert (modes_there.held, len(modes_there.refused)) == (set(), 1)
    assert arguments == {}


def test_from_4_3_on_the_worker_states_the_timeout_that_it_was_told() -> None:
    told = Acknowledging(Settings(consumer_timeout=900), Registry([definition("any", 0)]))
    assert told.subscribing(NEW)[1] == {"x-consumer-timeout": 900_000}
    assert Acknowledging(Settings(consumer_timeout=math.inf), Registry([])).subscribing(NEW)[1] == {}


def look(ready: int = 0, consumers: int = 1, delivered: int = 0, unsettled: int = 0, prefetch: int = 4) -> Look:
    return Look(ready, consumers, delivered, unsettled, prefetch)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (look(), look()),  # nothing to do
        (look(ready=9, delivered=1), look(ready=9, delivered=2)),  # it works
        (look(ready=9, unsettled=4), look(ready=9, unsettled=4)),  # our hands are full
        (look(ready=9, unsettled=4), look(ready=9, unsettled=3)),  # they were full a moment ago
        (look(), look(ready=9)),  # has just come
        (look(ready=9, prefetch=0), look(ready=9, prefetch=0)),  # paused
        (look(consumers=0, unsettled=2), look(consumers=0, unsettled=2)),  # no leader: keep what we have
    ],
)
def test_a_subscription_that_has_a_reason_to_get_nothing_is_left_alone(before: Look, now: Look) -> None:
    silence = Silence()
    assert (silence.judge(before), silence.judge(now)) == ("", "")


@pytest.mark.parametrize(
    ("dead", "reason"),
    [
        (look(ready=9, unsettled=2), "9 messages wait and none is delivered"),
        (look(ready=9, consumers=0, unsettled=4), "the broker knows no consumer of the queue"),
        (look(consumers=0), "the broker knows no consumer of the queue"),
    ],
)
def test_a_subscription_is_dead_when_two_looks_say_so(dead: Look, reason: str) -> None:
    silence = Silence()
    assert (silence.judge(dead), silence.judge(dead)) == ("", reason)

    silence.forget()
    assert silence.judge(dead) == ""
