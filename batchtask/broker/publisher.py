"""Publishing with confirms: a future for every message, hundreds in flight.

A message counts only when the broker has said so: https://www.rabbitmq.com/docs/confirms#publisher-confirms.
`mandatory` makes it return what no queue takes; the return comes before the confirm.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties, spec
from pika.channel import Channel

from batchtask.broker.connection import Connection
from batchtask.errors import PublishReturned, PublishUnconfirmed
from batchtask.publishing import BLOCKED, Message, Refusals
from batchtask.topology import TOPOLOGY, Topology

PERSISTENT = 2


@dataclass(slots=True)
class _Pending:
    message: Message
    confirmed: asyncio.Future[None]
    returned: bool = False


class Publisher:
    """Publishes on a connection of its own, because a broker alarm stops reading from publishers. One event loop."""

    def __init__(self, url: str, *, role: str, topology: Topology = TOPOLOGY) -> None:
        self.connection = Connection(url, role=role, set_up=self._set_up, lost=self._lost, topology=topology)
        self._pending: dict[int, _Pending] = {}
        self._last_tag = 0
        self._refusals = Refusals()

    async def start(self) -> None:
        """Open the connection; errors as of `Connection.start`."""
        await self.connection.start()

    async def close(self) -> None:
        await self.connection.close()
        self._lost("the publisher was closed")

    @property
    def in_flight(self) -> int:
        return len(self._pending)

    async def wait_usable(self) -> None:
        """As of `Connection.wait_usable`."""
        await self.connection.wait_usable()

    async def silence(self) -> str:
        """Say why nothing is confirmed, in words; empty when all seems well."""
        return BLOCKED if self.connection.blocked else self.connection.trouble

    def publish(self, message: Message) -> asyncio.Future[None]:
        """Send one message and return a future of its confirm.

        The future raises `PublishUnconfirmed` (may have arrived; publish again) or `PublishReturned` (no queue).
        """
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            channel = self.connection.channel
            channel.basic_publish(
                message.exchange, message.routing_key, message.body, _properties(message), message.mandatory
            )
        except Exception as error:
            confirmed.set_exception(PublishUnconfirmed(message.message_id, str(error) or type(error).__name__))
            return confirmed
        self._last_tag += 1
        self._pending[self._last_tag] = _Pending(message, confirmed)
        return confirmed

    async def _set_up(self) -> None:
        self._last_tag = 0
        self._refusals = Refusals()
        channel = self.connection.channel
        channel.add_on_return_callback(self._on_return)
        await self.connection.call(channel.confirm_delivery, self._on_confirm)

    def _on_return(self, _: Channel, method: spec.Basic.Return, properties: BasicProperties, body: bytes) -> None:
        for pending in self._pending.values():
            if pending.message.message_id == properties.message_id and pending.message.body == body:
                pending.returned = True

    def _on_confirm(self, frame: Any) -> None:
        method: spec.Basic.Ack | spec.Basic.Nack = frame.method
        accepted = isinstance(method, spec.Basic.Ack)
        if method.multiple:
            # Tags are given out in rising order, so the dictionary is sorted.
            for tag in [tag for tag in self._pending if tag <= method.delivery_tag]:
                self._settle(tag, accepted)
        else:
            self._settle(method.delivery_tag, accepted)
        if self._refusals.too_long(accepted=accepted, now=asyncio.get_running_loop().time()):
            self.connection.end(Refusals.REASON)

    def _settle(self, tag: int, accepted: bool) -> None:
        pending = self._pending.pop(tag, None)
        if pending is None or pending.confirmed.done():
            return
        message = pending.message
        if pending.returned:
            pending.confirmed.set_exception(
                PublishReturned(message.message_id, message.exchange, message.routing_key)
            )
        elif accepted:
            pending.confirmed.set_result(None)
        else:
            pending.confirmed.set_exception(PublishUnconfirmed(message.message_id, "the broker refused it"))

    def _lost(self, reason: str) -> None:
        pending, self._pending = self._pending, {}
        for entry in pending.values():
            if not entry.confirmed.done():
                entry.confirmed.set_exception(PublishUnconfirmed(entry.message.message_id, reason))


def _properties(message: Message) -> BasicProperties:
    return BasicProperties(
        content_type=message.content_type,
        delivery_mode=PERSISTENT,
        message_id=message.message_id,
        type=message.type,
        headers=message.headers,
    )
