"""How many messages wait in a queue: evidence for whoever looks for lost ones, and news for operators."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from batchtask.broker.connection import Connection, Lost

#: A broker that does not answer within this is not evidence of anything. A guess.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Depth:
    """What waits in a queue, and who takes it."""

    messages: int  #: that no consumer has in hand
    consumers: int


async def depth_of(connection: Connection, queue: str) -> Depth | None:
    """Return how full a queue is; None when the broker does not say.

    Asks by a passive declaration. A queue that is gone costs the connection its channel, and the new one brings the
    queue back: https://www.rabbitmq.com/docs/channels#error-handling
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await connection.call(connection.channel.queue_declare, queue, passive=True)
    except (Lost, TimeoutError):
        return None
    return Depth(int(answer.method.message_count), int(answer.method.consumer_count))


async def ready_messages(connection: Connection, queue: str) -> int | None:
    """Count the messages that no consumer has in hand; None when the broker does not say."""
    depth = await depth_of(connection, queue)
    return None if depth is None else depth.messages
