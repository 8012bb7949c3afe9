"""Telling the projections what was recorded: confirmed publishes, many events in one message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from batchtask import envelope
from batchtask.batcher import Batcher
from batchtask.broker import Message, Publisher, publish_all
from batchtask.broker.consumer import Delivery
from batchtask.broker.dead_letters import dead_letter
from batchtask.events import RecordedEvent
from batchtask.identifiers import uuid7
from batchtask.messages import SubmitTask
from batchtask.topology import COMMANDS, EVENTS, EVENTS_KEY, SUBMIT_KEY

#: Events in one message. Some 100 KiB for ordinary events, and with the largest parameters still below the 16 MiB
#: that a broker takes: https://www.rabbitmq.com/docs/configure#config-items
EVENTS_PER_MESSAGE = 200
#: Under load, least pause between two messages, so that each carries more.
LINGER_SECONDS = 0.01
#: A publish is tried for this long before it begins anew; it is never given up.
ROUND_SECONDS = 30.0


class Announcer:
    """Publishes news and waits until the broker has them, however long that takes.

    Nothing here is a fact: what gets lost with a crash of this process comes again with the redelivery.
    """

    def __init__(self, publisher: Publisher, source: str) -> None:
        self._publisher = publisher
        self._source = source
        self._news: Batcher[Sequence[RecordedEvent], None] = Batcher(
            self._publish_news, largest=EVENTS_PER_MESSAGE, linger_seconds=LINGER_SECONDS
        )

    async def announce(self, events: Sequence[RecordedEvent]) -> None:
        """Return once the projections' queue has the events."""
        if events:
            await self._news.submit(events)

    def announce_soon(self, events: Sequence[RecordedEvent]) -> None:
        """Announce without waiting; a crash may lose this, the next news of the task makes up for it."""
        self._news.submit(events)

    async def dead_letter(self, delivery: Delivery, queue: str, reason: str) -> None:
        """Set a delivery aside with the reason; the caller settles it afterwards."""
        await self._publish([dead_letter(delivery, queue, reason)])

    async def hand_back(self, command: SubmitTask, traceparent: str | None) -> None:
        """Publish a command anew. Unlike a requeue this does not count towards the broker's delivery limit."""
        body = envelope.encode_command(command, source=self._source, traceparent=traceparent)
        message = Message(
            exchange=COMMANDS.name,
            routing_key=SUBMIT_KEY,
            body=body,
            message_id=str(command.task_id),
            type="SubmitTask",
            content_type=envelope.CONTENT_TYPE,
        )
        await self._publish([message])

    async def _publish_news(self, batches: Sequence[Sequence[RecordedEvent]]) -> list[Exception | None]:
        # A finished task is announced with its whole stream, which may be long.
        events = [event for batch in batches for event in batch]
        starts = range(0, len(events), EVENTS_PER_MESSAGE)
        await self._publish([self._message(events[start : start + EVENTS_PER_MESSAGE]) for start in starts])
        return [None] * len(batches)

    def _message(self, events: Sequence[RecordedEvent]) -> Message:
        return Message(
            exchange=EVENTS.name,
            routing_key=EVENTS_KEY,
            body=envelope.encode_events(events, source=self._source),
            message_id=str(uuid7()),
            type="events",
            content_type=envelope.BATCH_CONTENT_TYPE,
        )

    async def _publish(self, messages: Sequence[Message]) -> None:
        while failed := await publish_all(self._publisher, messages, deadline_seconds=ROUND_SECONDS):
            messages = [messages[index] for index in failed]
            await asyncio.sleep(1)
