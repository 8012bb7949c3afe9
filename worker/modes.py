"""Hold or lease: when the message of a task is acknowledged. Pure; `acknowledging` feeds it.

*Hold*: after the outcome. A dead worker is noticed at once, but the broker takes the message back after its
acknowledgement timeout: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout. *Lease*: after the claim.
The task may run for days; a dead worker is noticed when its lease runs out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Service:
    """What counts for all tasks of one worker."""

    task_timeout: float  #: -1 = none
    drain_seconds: float  #: how long the worker may go on after it was told to stop

    def limit(self, definition: TaskDefinition) -> float | None:
        """A task's hard limit in seconds; None = none."""
        return hard_limit(definition.timeout_seconds, self.task_timeout)


@dataclass(frozen=True)
class Modes:
    """How each of some definitions is acknowledged under one timeout."""

    held: frozenset[str]
    leased: frozenset[str]  #: those that were refused among them: a running worker must do something with them
    refused: tuple[str, ...]  #: what to tell the people who can change it, one sentence for each such definition

    def require(self) -> Modes:
        """Return these modes.

        Raises:
            SettingsError: Names every definition that demands to be held and cannot be.
        """
        if self.refused:
            raise SettingsError(list(self.refused))
        return self


def modes(
    definitions: Iterable[TaskDefinition], service: Service, ack_timeout_seconds: float | None, source: str = ""
) -> Modes:
    """Work out for every definition whether its messages are held or leased.

    Args:
        definitions: The installed ones.
        service: Limits of the worker.
        ack_timeout_seconds: The broker's acknowledgement timeout; None = it has none.
        source: Where that timeout comes from, in words, for whoever has to change it.
    """
    held, leased, refused = set(), set(), []
    for definition in definitions:
        limit = service.limit(definition)
        fits = can_hold(limit, service.drain_seconds, ack_timeout_seconds)
        if fits and definition.acknowledge is not Acknowledge.LEASE:
            held.add(definition.name)
            continue
        leased.add(definition.name)
        if definition.acknowledge is Acknowledge.HOLD:
            refused.append(_problem(definition.name, limit, service.drain_seconds, ack_timeout_seconds, source))
    return Modes(frozenset(held), frozenset(leased), tuple(refused))


def wanted_timeout(definitions: Iterable[TaskDefinition], service: Service) -> float:
    """The least acknowledgement timeout in seconds that holds every task that demands it and has a limit; else 0."""
    limits = [service.limit(one) for one in definitions if one.acknowledge is Acknowledge.HOLD]
    room = service.drain_seconds + 2 * BROKER_TICK_SECONDS
    return max((limit + room for limit in limits if limit is not None), default=0)


def _problem(
    name: str, limit: float | None, drain_seconds: float, ack_timeout_seconds: float | None, source: str
) -> str:
    runs = "without a time limit" if limit is None else f"for up to {limit:g} s"
    return (
        f"task {name!r} demands that its message is held, but it may run {runs}, and with {drain_seconds:g} s to "
        f"drain and {BROKER_TICK_SECONDS:g} s of slack that is more than the broker's acknowledgement timeout of "
        f"{ack_timeout_seconds:g} s{f' ({source})' if source else ''}: give it a shorter timeout, let it be leased "
        "(acknowledge='auto'), or raise consumer_timeout on the broker and tell BATCHTASK_CONSUMER_TIMEOUT"
    )
