"""Publishing until the broker has confirmed, or a deadline has passed. Needs no broker client.

Both clients' publishers fit `Publishes`: `batchtask/broker/publisher.py` (pika) and `producer/aio_publisher.py`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from batchtask.connecting import Closed
from batchtask.errors import PublishError, PublishReturned, PublishUnconfirmed
from batchtask.identifiers import uuid7

#: Unconfirmed messages at a time. Measured: more than some hundreds adds latency and no rate.
WINDOW = 500
#: Messages sent before the loop may read confirms again.
TURN = 50
#: Pause before publishing again what the broker refused, as it does while a queue elects a leader. A guess.
REFUSED_PAUSE_SECONDS = 0.05

#: A channel on which nothing but refusals comes for this long is renewed. Measured: RabbitMQ 3.10 refuses for ever on
#: one that was opened between the death of a queue's leader and the election of the next.
REFUSED_SECONDS = 2.0

#: Marks a message that is sent again: it may be a second copy, and a reader must be able to tell the two apart.
REPEAT_HEADER = "batchtask-repeat"

BLOCKED = "the broker takes no messages: memory or disk alarm"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to publish."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str  #: task id for commands; what an error names
    type: str
    content_type: str
    mandatory: bool = True
    headers: dict[str, str] | None = None


class Publishes(Protocol):
    """Sends messages with confirms, on a connection that it keeps open by itself. One event loop."""

    @property
    def in_flight(self) -> int:
        """Messages sent and not yet answered."""

    def publish(self, message: Message) -> asyncio.Future[None]:
        """Send one message and return a future of its confirm.

        The future raises `PublishUnconfirmed` (may have arrived; publish again) or `PublishReturned` (no queue).
        """

    async def wait_usable(self) -> None:
        """Wait until there is a connection and the broker reads from it.

        Raises:
            Closed: There will be none, because the publisher was closed.
            TopologyMismatch: There will be none until a human acts.
        """

    async def silence(self) -> str:
        """Say why nothing is confirmed, in words; empty when all seems well."""


class Refusals:
    """Tells from the answers on one channel whether it must be renewed. Pure: time is handed in."""

    REASON = f"the broker refused every message for {REFUSED_SECONDS:g} s"

    def __init__(self) -> None:
        self._since: float | None = None

    def too_long(self, *, accepted: bool, now: float) -> bool:
        """Note an answer; True when there have been only refusals for too long."""
        if accepted:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since > REFUSED_SECONDS


async def publish_all(
    publisher: Publishes, messages: Sequence[Message], *, deadline_seconds: float
) -> dict[int, PublishError]:
    """Publish all messages, again where the broker refused or went away, and return what failed, by index.

    Publishing again may deliver a message twice: readers recognise it by its task id.

    Raises:
        TopologyMismatch: The broker has other queues than ours; which messages it confirmed before is not told.
    """
    failed: dict[int, PublishError] = {
        index: PublishUnconfirmed(message.message_id, "") for index, message in enumerate(messages)
    }
    silence = ""
    try:
        async with asyncio.timeout(deadline_seconds) as limit:
            loop = asyncio.get_running_loop()
            await _publish_rounds(
                publisher, messages, failed, lambda: limit.reschedule(loop.time() + deadline_seconds)
            )
    except TimeoutError:
        silence = await publisher.silence()
    except Closed as error:
        silence = str(error)
    return {index: _late(error, silence) for index, error in failed.items()}


async def _publish_rounds(
    publisher: Publishes, messages: Sequence[Message], failed: dict[int, PublishError], progressed: Callable[[], None]
) -> None:
    todo = list(failed)
    for count in itertools.count():
        await publisher.wait_usable()
        await _publish_once(publisher, {index: _copy(messages[index], count) for index in todo}, failed, progressed)
        # What has no queue will have none the next time either.
        todo = [index for index, error in failed.items() if not isinstance(error, PublishReturned)]
        if not todo:
            return
        await asyncio.sleep(REFUSED_PAUSE_SECONDS)


async def _publish_once(
    publisher: Publishes,
    messages: Mapping[int, Message],
    failed: dict[int, PublishError],
    progressed: Callable[[], None],
) -> None:
    sent: list[tuple[int, asyncio.Future[None]]] = []
    try:
        for count, (index, message) in enumerate(messages.items(), 1):
            sent.append((index, publisher.publish(message)))
            if publisher.in_flight >= WINDOW:
                awaited = sent[-WINDOW // 2][1] if len(sent) > WINDOW else sent[0][1]
                await asyncio.wait({awaited})
                if awaited.exception() is None:
                    progressed()
            elif count % TURN == 0:
                await asyncio.sleep(0)
        await asyncio.wait([future for _, future in sent])
    finally:
        for index, future in sent:
            _note(index, future, failed)


def _copy(message: Message, count: int) -> Message:
    if count == 0:
        return message
    return dataclasses.replace(message, headers={**(message.headers or {}), REPEAT_HEADER: uuid7().hex})


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


def _late(error: PublishError, silence: str) -> PublishError:
    if not isinstance(error, PublishUnconfirmed):
        return error
    return PublishUnconfirmed(error.task_id, silence or error.cause or "no confirm before the deadline")
