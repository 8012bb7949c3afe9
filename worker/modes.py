"""Hold or lease: when the message of a task is acknowledged. Pure; worked out once, when the worker starts.

*Hold*: after the outcome. A dead worker is noticed at once, but the broker takes the message back after its
acknowledgement timeout: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout. *Lease*: after the claim.
The task may run for days; a dead worker is noticed when its lease runs out.
"""

from __future__ import annotations

from collections.abc import Iterable

from batchtask.definitions import Acknowledge, TaskDefinition
from batchtask.errors import SettingsError

#: The broker looks at its timeouts once a minute, and may be as late as that: same page.
BROKER_TICK_SECONDS = 60.0


def hard_limit(definition_seconds: float, service_seconds: float) -> float | None:
    """The smaller of both limits; a definition says 0 for none, the service -1."""
    limits = [seconds for seconds in (definition_seconds, service_seconds) if seconds > 0]
    return min(limits, default=None)


def memory_limit(definition_mb: int, service_mb: int) -> int | None:
    """The smaller of both limits; 0 stands for none."""
    return min((limit for limit in (definition_mb, service_mb) if limit > 0), default=None)


def can_hold(limit_seconds: float | None, drain_seconds: float, ack_timeout_seconds: float | None) -> bool:
    """Whether a message can stay unacknowledged until its task has ended, whatever happens.

    Args:
        limit_seconds: The task's hard limit; None = none.
        drain_seconds: How long the worker may go on after it was told to stop.
        ack_timeout_seconds: The broker's acknowledgement timeout; None = it has none.
    """
    if ack_timeout_seconds is None:
        return True
    return limit_seconds is not None and limit_seconds + drain_seconds + BROKER_TICK_SECONDS < ack_timeout_seconds


def held_tasks(
    definitions: Iterable[TaskDefinition],
    *,
    task_timeout: float,
    drain_seconds: float,
    ack_timeout_seconds: float | None,
) -> frozenset[str]:
    """The names of the tasks whose messages are held; those of all others are leased.

    Raises:
        SettingsError: Names every definition that demands to be held and cannot be.
    """
    held, problems = set(), []
    for definition in definitions:
        limit = hard_limit(definition.timeout_seconds, task_timeout)
        fits = can_hold(limit, drain_seconds, ack_timeout_seconds)
        if fits and definition.acknowledge is not Acknowledge.LEASE:
            held.add(definition.name)
        elif definition.acknowledge is Acknowledge.HOLD:
            problems.append(_problem(definition.name, limit, drain_seconds, ack_timeout_seconds))
    if problems:
        raise SettingsError(problems)
    return frozenset(held)


def _problem(name: str, limit: float | None, drain_seconds: float, ack_timeout_seconds: float | None) -> str:
    runs = "without a time limit" if limit is None else f"for up to {limit:g} s"
    return (
        f"task {name!r} demands that its message is held, but it may run {runs}, and with {drain_seconds:g} s to "
        f"drain and {BROKER_TICK_SECONDS:g} s of slack that is more than the broker's acknowledgement timeout of "
        f"{ack_timeout_seconds:g} s: give it a shorter timeout, let it be leased (acknowledge='auto'), or raise "
        "consumer_timeout on the broker"
    )
