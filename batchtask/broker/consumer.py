"""Consuming with acknowledgements of our own, few frames for many deliveries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pika import BasicProperties, spec
from pika.channel import Channel

from batchtask.broker.ack_timeout import Version
from batchtask.broker.acknowledgement import AcknowledgementWindow
from batchtask.broker.connection import Connection, Lost
from batchtask.broker.silence import Look, Silence
from batchtask.topology import TOPOLOGY, Exchange, Topology

#: Acknowledgements gather for this long. Measured: each frame costs the broker more than it costs us.
LINGER_SECONDS = 0.005
#: Pause between two looks at whether a subscription is alive; it takes two to tell that it is not. A guess.
WATCH_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival from the broker."""

    tag: int
    epoch: int  #: of the channel it came on; a tag means nothing on another one
    redelivered: bool  #: the broker gave this message to somebody before
    body: bytes
    message_id: str
    type: str
    headers: dict[str, Any]


class Consumer:
    """One subscription on a connection of its own, renewed whenever anything breaks. One event loop.

    Args:
        url: Of the broker.
        queue: What to consume.
        prefetch: Unsettled deliveries that the broker may leave with us; at most 2000 on quorum queues.
        deliver: Called for every delivery, on the loop; must not block.
        lost: Called when the channel is gone: every unsettled delivery will come again, to us or to somebody else.
        news: An exchange whose messages are wanted as hints, and who gets them; nothing is kept while away.
        arguments: Of `basic.consume`, asked for before every subscription with the version of the broker.
        watch_seconds: Pause between two looks at whether the subscription is alive.
    """

    def __init__(
        self,
        url: str,
        *,
        queue: str,
        prefetch: int,
        deliver: Callable[[Delivery], None],
        lost: Callable[[str], None] = lambda _: None,
        news: tuple[Exchange, Callable[[bytes], None]] | None = None,
        arguments: Callable[[Version], Mapping[str, object]] = lambda _: {},
        role: str = "consumer",
        topology: Topology = TOPOLOGY,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self.connection = Connection(url, role=role, set_up=self._set_up, lost=self._on_lost, topology=topology)
        self._queue = queue
        self._prefetch = prefetch
        self._deliver = deliver
        self._lost = lost
        self._news = news
        self._arguments = arguments
        self._watch_seconds = watch_seconds
        self._watching: asyncio.Task[None] | None = None
        self._delivered = 0
        self._window = AcknowledgementWindow()
        self._epoch = 0
        self._tag: str | None = None
        self._subscribing = asyncio.Lock()  # one change of the subscription at a time
        self._stopped = False
        self._flush_planned = False

    async def start(self) -> None:
        """Open the connection and subscribe; errors as of `Connection.start`."""
        await self.connection.start()
        self._watching = asyncio.create_task(self._watch(), name=f"watch {self._queue}")

    async def close(self) -> None:
        """Send what is settled, then close; the broker gives the rest to others."""
        if self._watching is not None:
            self._watching.cancel()
        self._flush()
        await self.connection.close()

    async def stop_deliveries(self) -> None:
        """Ask for nothing more, not even on a new connection; what was delivered can still be settled."""
        self._stopped = True
        async with self._subscribing:
            await self._unsubscribe()

    async def _unsubscribe(self) -> None:
        tag, self._tag = self._tag, None
        if tag is not None and self.connection.usable:
            try:
                await self.connection.call(self.connection.channel.basic_cancel, tag)
            except Lost:
                return

    def settle(self, delivery: Delivery) -> None:
        """Acknowledge a delivery; frames for many go out together, a moment later.

        A delivery of an older channel is ignored: the broker has taken it back and will deliver it again.
        """
        if delivery.epoch != self._epoch:
            return
        self._window.settle(delivery.tag)
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._flush)

    def holds(self, delivery: Delivery) -> bool:
        """Whether the broker has left this delivery with us: not settled, not given back, its channel still open."""
        return delivery.epoch == self._epoch and delivery.tag in self._window

    def give_back(self, delivery: Delivery) -> None:
        """Return a delivery to the queue; on brokers before 4.3 that counts as a failed delivery."""
        if delivery.epoch == self._epoch and self._window.forget(delivery.tag):
            with contextlib.suppress(Lost):
                self.connection.channel.basic_nack(delivery.tag, requeue=True)

    @property
    def prefetch(self) -> int:
        return self._prefetch

    async def set_prefetch(self, prefetch: int) -> None:
        """Subscribe anew, because a subscription keeps its prefetch for life; what is in hand stays in hand.

        Args:
            prefetch: 0 = no subscription until there is another number.
        """
        self._prefetch = prefetch
        async with self._subscribing:
            epoch = self._epoch
            with contextlib.suppress(Lost):
                await self._unsubscribe()
                # A channel that was lost meanwhile gets its subscription, with the new prefetch, by `_set_up`.
                if self.connection.usable and epoch == self._epoch:
                    await self._subscribe()

    async def _set_up(self) -> None:
        async with self._subscribing:
            self._epoch += 1
            self._window.clear()
            self._tag = None
            if self._news is not None:
                await self._subscribe_to_news(*self._news)
            await self._subscribe()

    async def _subscribe(self) -> None:
        if self._stopped or self._prefetch == 0:
            return
        channel, call = self.connection.channel, self.connection.call
        await call(channel.basic_qos, prefetch_count=self._prefetch)
        arguments = dict(self._arguments(self.connection.version))
        answer = await call(channel.basic_consume, self._queue, self._on_message, arguments=arguments)
        self._tag = answer.method.consumer_tag

    async def _watch(self) -> None:
        """Renew a subscription that silently gets nothing, by the one way of recovery."""
        silence = Silence()
        while True:
            await asyncio.sleep(self._watch_seconds)
            look = await self._look()
            if look is None:
                silence.forget()
            elif reason := silence.judge(look):
                silence.forget()
                self.connection.end(reason)

    async def _look(self) -> Look | None:
        """Ask the broker about the queue; None when there was no subscription all the time that it took."""
        tag, epoch = self._tag, self._epoch
        if tag is None or not self.connection.usable:
            return None
        try:
            ask = self.connection.channel.queue_declare
            async with asyncio.timeout(self._watch_seconds):
                method = (await self.connection.call(ask, self._queue, passive=True)).method
        except TimeoutError:
            if epoch == self._epoch:
                self.connection.end(f"the broker says nothing of {self._queue}")
            return None
        except Lost:
            return None
        if (tag, epoch) != (self._tag, self._epoch):
            return None
        return Look(method.message_count, method.consumer_count, self._delivered, len(self._window), self._prefetch)

    async def _subscribe_to_news(self, exchange: Exchange, receive: Callable[[bytes], None]) -> None:
        channel, call = self.connection.channel, self.connection.call
        answer = await call(channel.queue_declare, "", exclusive=True, auto_delete=True)
        await call(channel.queue_bind, answer.method.queue, exchange.name)
        await call(channel.basic_consume, answer.method.queue, lambda *message: receive(message[3]), auto_ack=True)

    def _on_message(self, _: Channel, method: spec.Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        tag = method.delivery_tag
        self._window.delivered(tag)
        self._delivered += 1
        self._deliver(
            Delivery(
                tag,
                self._epoch,
                method.redelivered,
                body,
                properties.message_id or "",
                properties.type or "",
                properties.headers or {},
            )
        )

    def _flush(self) -> None:
        self._flush_planned = False
        try:
            channel = self.connection.channel
            for tag, multiple in self._window.frames():
                channel.basic_ack(tag, multiple)
        except Lost:
            self._window.clear()

    def _on_lost(self, reason: str) -> None:
        self._epoch += 1
        self._window.clear()
        self._lost(reason)
