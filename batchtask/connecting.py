"""What both broker clients hold to when they connect: how often to try, and what to say when it fails.

pika in `batchtask/broker`, aio-pika in `producer/aio_publisher.py`; this module needs neither.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any

from batchtask.errors import BrokerUnavailable

logger = logging.getLogger(__name__)

#: Seconds; the broker's page recommends 5 to 20: https://www.rabbitmq.com/docs/heartbeats
HEARTBEAT_SECONDS = 15
#: Quorum queues dead-letter at least once from here on: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
OLDEST_BROKER = (3, 10)
#: From the first packet to a verified topology; then the next try. A guess.
OPEN_SECONDS = 8
#: A broker that does not answer a close is left alone after this.
CLOSE_SECONDS = 2
#: A restarted broker is used within a second, however long it was away: a web tier's submits have seconds, not more.
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.1, 1.0

NOT_YET = "not connected yet"


class Closed(Exception):
    """Nobody keeps the connection open any more: its owner closed it."""


def pauses() -> Iterator[float]:
    """Yield how many seconds to wait before each further try: longer each time, and not in step with others."""
    longest = FIRST_BACKOFF_SECONDS
    while True:
        yield longest * random.uniform(0.5, 1.0)  # noqa: S311
        longest = min(2 * longest, LONGEST_BACKOFF_SECONDS)


async def unless_ended(wait: Coroutine[Any, Any, None], keeper: asyncio.Task[None]) -> None:
    """Wait, but no longer than the task lives that would bring about what is waited for.

    Raises:
        Closed: The keeper was cancelled.
        TopologyMismatch: What ended it by itself.
    """
    waiting = asyncio.create_task(wait)
    try:
        await asyncio.wait({waiting, keeper}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        if keeper.cancelled():
            raise Closed("the connection was closed")
        return keeper.result()
    finally:
        waiting.cancel()


def log_end(keeper: asyncio.Task[None]) -> None:
    """Say why a keeper ended that nobody may be waiting for."""
    if not keeper.cancelled():
        logger.error("broker connection given up", extra={"reason": str(keeper.exception())})


def unreadable_url(error: Exception) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"the URL cannot be read ({error})", "correct BATCHTASK_AMQP_URL: amqp://user:password@host:5672/vhost"
    )


def refused_login(place: str, user: str) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"{place} refused the login of {user!r}", "correct user and password in BATCHTASK_AMQP_URL"
    )


def no_virtual_host(place: str, virtual_host: str, user: str) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"{place} has no virtual host {virtual_host!r} for {user!r}",
        "create it and give the user permissions, or correct BATCHTASK_AMQP_URL",
    )


def nothing_there(place: str, cause: object) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"nothing at {place} speaks AMQP ({cause})", "start RabbitMQ or correct BATCHTASK_AMQP_URL"
    )


def gave_up(cause: object) -> BrokerUnavailable:
    return BrokerUnavailable(str(cause), "look at the broker's log")


def version(properties: Mapping[str, Any]) -> tuple[int, ...]:
    """Major and minor version of a broker, by the properties it sent on connecting."""
    return tuple(int(part) for part in str(properties.get("version", "0")).split(".")[:2] if part.isdigit())


def require_version(properties: Mapping[str, Any]) -> None:
    """Refuse a broker that is too old, by the properties it sent on connecting.

    Raises:
        BrokerUnavailable: Install a newer one.
    """
    if version(properties) < OLDEST_BROKER:
        found = f"{properties.get('product', 'the broker')} {properties.get('version', '0')}"
        wanted = ".".join(map(str, OLDEST_BROKER))
        raise BrokerUnavailable(f"{found} is too old", f"install RabbitMQ {wanted} or newer")
