"""Publishing until the broker has confirmed, or a deadline has passed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from batchtask.broker.publisher import Message, Publisher
from batchtask.errors import PublishError, PublishReturned, PublishUnconfirmed

#: Unconfirmed messages at a time. Measured: more than some hundreds adds latency and no rate.
WINDOW = 500
#: Messages sent before the loop may read confirms again.
TURN = 50
#: Pause before publishing again what the broker refused, as it does while a queue elects a leader. A guess.
REFUSED_PAUSE_SECONDS = 0.05


async def publish_all(
    publisher: Publisher, messages: Sequence[Message], *, deadline_seconds: float
) -> dict[int, PublishError]:
    """Publish all messages, again where the broker refused or went away, and return what failed, by index.

    Publishing again may deliver a message twice: readers recognise it by its task id.
    """
    failed: dict[int, PublishError] = {
        index: PublishUnconfirmed(message.message_id, "") for index, message in enumerate(messages)
    }
    try:
        async with asyncio.timeout(deadline_seconds):
            await _publish_rounds(publisher, messages, failed)
    except TimeoutError:
        return {
            index: error if isinstance(error, PublishReturned) else _late(publisher, messages[index], error)
            for index, error in failed.items()
        }
    return failed


async def _publish_rounds(publisher: Publisher, messages: Sequence[Message], failed: dict[int, PublishError]) -> None:
    todo = list(failed)
    while todo:
        await publisher.connection.wait_usable()
        await _publish_once(publisher, messages, todo, failed)
        # What has no queue will have none the next time either.
        todo = [index for index, error in failed.items() if not isinstance(error, PublishReturned)]
        if todo:
            await asyncio.sleep(REFUSED_PAUSE_SECONDS)


async def _publish_once(
    publisher: Publisher, messages: Sequence[Message], todo: Sequence[int], failed: dict[int, PublishError]
) -> None:
    sent: list[tuple[int, asyncio.Future[None]]] = []
    try:
        for count, index in enumerate(todo, 1):
            sent.append((index, publisher.publish(messages[index])))
            if publisher.in_flight >= WINDOW:
                await asyncio.wait({sent[-WINDOW // 2][1]} if len(sent) > WINDOW else {sent[0][1]})
            elif count % TURN == 0:
                await asyncio.sleep(0)
        await asyncio.wait([future for _, future in sent])
    finally:
        for index, future in sent:
            _note(index, future, failed)


def _note(index: int, future: asyncio.Future[None], failed: dict[int, PublishError]) -> None:
    if not future.done():
        # A confirm that comes later finds nobody waiting; the deadline's error is the answer.
        future.cancel()
        return
    error = future.exception()
    if error is None:
        failed.pop(index, None)
    elif isinstance(error, PublishError):
        failed[index] = error


def _late(publisher: Publisher, message: Message, error: PublishError | None = None) -> PublishUnconfirmed:
    connection = publisher.connection
    if connection.blocked:
        cause = "the broker takes no messages: memory or disk alarm"
    else:
        cause = connection.trouble or getattr(error, "cause", "") or "no confirm before the deadline"
    return PublishUnconfirmed(message.message_id, cause)
