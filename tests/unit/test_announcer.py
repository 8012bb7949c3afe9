"""News reach the projections in messages of bounded size."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import cast

from batchtask import envelope
from batchtask.broker import Message, Publisher
from batchtask.events import HeartbeatRecorded, RecordedEvent
from batchtask.identifiers import new_task_id
from worker.announcer import EVENTS_PER_MESSAGE, Announcer


class ConfirmingPublisher:
    """Confirms everything at once, and keeps it."""

    in_flight = 0

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, message: Message) -> asyncio.Future[None]:
        self.messages.append(message)
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        confirmed.set_result(None)
        return confirmed

    async def wait_usable(self) -> None: ...

    async def silence(self) -> str:
        return ""


def test_a_long_stream_is_announced_in_several_messages_in_order() -> None:
    task_id, at = new_task_id(), datetime(2026, 1, 2, tzinfo=UTC)
    history = [RecordedEvent(task_id, version, at, HeartbeatRecorded(fence=1)) for version in range(1000)]
    publisher = ConfirmingPublisher()

    async def announce() -> None:
        await Announcer(cast(Publisher, publisher), "/test").announce(history)

    asyncio.run(announce())
    batches = [envelope.decode_events(message.body) for message in publisher.messages]
    assert max(map(len, batches)) <= EVENTS_PER_MESSAGE
    assert [event for batch in batches for event in batch] == history
