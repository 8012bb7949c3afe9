"""How long the broker leaves a delivery unacknowledged: learnt where it can be, never guessed higher than it is.

Which limits count depends on the broker's version: https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout.
The node's own limit cannot be read by a client; it is the setting `consumer_timeout`, or the broker's default.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass

from batchtask.broker.management import ask_queue

#: The default of every broker that we support: same page.
DEFAULT_SECONDS = 1800.0
#: From this version on the queue's argument and policy count before the node's limit, the smaller one of both.
PER_QUEUE = (3, 12)
#: From this version on what a consumer states itself counts before everything else.
PER_CONSUMER = (4, 3)
#: Argument of a queue, and from `PER_CONSUMER` on of `basic.consume`; in milliseconds.
ARGUMENT = "x-consumer-timeout"
POLICY_KEY = "consumer-timeout"

Version = tuple[int, ...]


@dataclass(frozen=True)
class AckTimeout:
    """The effective delivery acknowledgement timeout of a queue, for our consumers."""

    seconds: float | None  #: None = there is none
    source: str  #: where it comes from, in words

    def __str__(self) -> str:
        length = "none" if self.seconds is None else f"{self.seconds:g} s"
        return f"{length} ({self.source})"


@dataclass(frozen=True)
class QueueLimits:
    """What a queue says itself, in seconds; None = nothing."""

    argument: float | None = None
    policy: float | None = None


def ack_timeout(version: Version, node_seconds: float, limits: QueueLimits) -> AckTimeout:
    """The timeout that a broker of some version applies.

    Args:
        version: Of the broker that answers.
        node_seconds: What its operator says was configured for the node; 0 = nothing is known, infinite = none.
        limits: Of the queue.
    """
    own = {
        f"the queue's argument {ARGUMENT}": limits.argument,
        f"the queue's policy {POLICY_KEY}": limits.policy,
    }
    stated = {source: seconds for source, seconds in own.items() if seconds is not None}
    if stated and version >= PER_QUEUE:
        source = min(stated, key=lambda name: stated[name])
        return AckTimeout(stated[source], source)
    if node_seconds == 0:
        return AckTimeout(DEFAULT_SECONDS, "the broker's default, as BATCHTASK_CONSUMER_TIMEOUT is not set")
    return AckTimeout(None if math.isinf(node_seconds) else node_seconds, "BATCHTASK_CONSUMER_TIMEOUT")


async def queue_limits(management_url: str, amqp_url: str, queue: str) -> QueueLimits:
    """Ask the management API what a queue says.

    Args:
        management_url: `http://user:password@host:15672`.
        amqp_url: Names the virtual host.
        queue: Its name.

    Raises:
        NoAnswer: Nothing is known of it.
    """
    return await asyncio.to_thread(_ask, management_url, amqp_url, queue)


def _ask(management_url: str, amqp_url: str, queue: str) -> QueueLimits:
    answer = ask_queue(management_url, amqp_url, queue)
    policies = "effective_policy_definition"
    if policies not in answer:
        # What the policies came to is left out of the quick answer by some versions.
        answer = ask_queue(management_url, amqp_url, queue, options="")
    return QueueLimits(
        argument=_seconds(answer.get("arguments"), ARGUMENT), policy=_seconds(answer.get(policies), POLICY_KEY)
    )


def _seconds(values: object, key: str) -> float | None:
    milliseconds = values.get(key) if isinstance(values, Mapping) else None
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None
