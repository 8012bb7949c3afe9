"""One AMQP connection with one channel, opened again by itself for as long as it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from pika import URLParameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from batchtask.errors import BrokerUnavailable, TopologyMismatch
from batchtask.topology import TOPOLOGY, Queue, Topology

logger = logging.getLogger(__name__)

#: Seconds; the broker's page recommends 5 to 20: https://www.rabbitmq.com/docs/heartbeats
HEARTBEAT_SECONDS = 15
#: Quorum queues dead-letter at least once from here on: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
OLDEST_BROKER = (3, 10)
#: A guess: quick enough that a restarted broker is used within a second, slow enough not to hammer it.
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.1, 5.0
#: A broker that does not answer a close is left alone after this.
CLOSE_SECONDS = 2

PRECONDITION_FAILED = 406


class Lost(Exception):
    """The connection or its channel ended; the text says why."""


class Connection:
    """Keeps one connection with one channel open. All methods belong to one event loop.

    Args:
        url: `amqp://user:password@host:port/virtual-host`.
        role: What the broker shows as the connection's name.
        set_up: Called with this object each time a channel is open and the topology verified.
        lost: Called each time what `set_up` built is gone, with the reason.
        topology: What to declare, and so to verify, each time.
    """

    def __init__(
        self,
        url: str,
        *,
        role: str,
        set_up: Callable[[], Awaitable[None]],
        lost: Callable[[str], None],
        topology: Topology = TOPOLOGY,
    ) -> None:
        self._parameters = _parameters(url, role)
        self._set_up = set_up
        self._report_lost = lost
        self._topology = topology
        self._role = role
        self._connection: AsyncioConnection | None = None
        self._channel: Channel | None = None
        self._ended: asyncio.Future[str] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._usable = asyncio.Event()
        self.blocked = False  #: the broker reads nothing more from publishers (memory or disk alarm)
        self.trouble = ""  #: why there is no connection, in words; empty while there is one

    @property
    def channel(self) -> Channel:
        """The open channel.

        Raises:
            Lost: There is none at the moment.
        """
        if self._channel is None:
            raise Lost("not connected")
        return self._channel

    @property
    def server(self) -> str:
        """What answers, in words."""
        properties = self._connection.server_properties if self._connection is not None else None
        return " ".join(str((properties or {}).get(key, "")) for key in ("product", "version")).strip()

    @property
    def usable(self) -> bool:
        return self._usable.is_set()

    async def wait_usable(self) -> None:
        await self._usable.wait()

    async def start(self) -> None:
        """Open for the first time.

        Raises:
            BrokerUnavailable: Not reachable, login refused, or too old.
            TopologyMismatch: A queue exists with other arguments.
        """
        try:
            await self._open()
        except Lost as error:
            await self._close_now()
            raise BrokerUnavailable(str(error), "look at the broker's log") from error
        except Exception:
            await self._close_now()
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self._role}")

    def start_in_background(self) -> None:
        """Open as soon as the broker lets us; `wait_usable` tells when, `trouble` why not yet."""

        async def open_and_keep() -> None:
            await self._reopen()
            await self._keep()

        self._keeper = asyncio.create_task(open_and_keep(), name=f"keep {self._role}")

    async def failed(self) -> None:
        """Return never, unless the connection can not be kept: then raise why."""
        assert self._keeper is not None
        await asyncio.shield(self._keeper)

    async def close(self) -> None:
        """Close for good; the broker takes back what was not settled."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._keeper
        await self._close_now()

    async def _keep(self) -> None:
        while True:
            assert self._ended is not None
            reason = self.trouble = await asyncio.shield(self._ended)
            self._usable.clear()
            self._report_lost(reason)
            logger.warning("broker connection lost", extra={"role": self._role, "reason": reason})
            await self._close_now()
            await self._reopen()
            logger.info("broker connection restored", extra={"role": self._role})

    async def _reopen(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            try:
                return await self._open()
            except (BrokerUnavailable, Lost) as error:
                self.trouble = str(error)
                logger.debug("broker not back yet", extra={"role": self._role, "reason": str(error)})
                await self._close_now()
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        self.blocked = False
        self._connection = await self._connect(loop)
        _require_version(self._connection)
        self._connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(True))
        self._connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(False))
        self._channel = await self.call(self._connection.channel, keyword="on_open_callback")
        self._channel.add_on_close_callback(lambda _, reason: self.end(str(reason), reason))
        # A consumer cancelled by the broker gets nothing more, in silence: https://www.rabbitmq.com/docs/consumer-cancel
        self._channel.add_on_cancel_callback(lambda _: self.end("the broker cancelled the consumer"))
        await self._declare()
        await self._set_up()
        self.trouble = ""
        self._usable.set()

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> AsyncioConnection:
        opened: asyncio.Future[AsyncioConnection] = loop.create_future()
        AsyncioConnection(
            self._parameters,
            on_open_callback=lambda connection: _resolve(opened, connection),
            on_open_error_callback=lambda _, error: _reject(opened, _explain(error, self._parameters)),
            on_close_callback=lambda _, reason: self.end(str(reason), reason),
            custom_ioloop=loop,
        )
        return await opened

    async def call(self, method: Callable[..., Any], *args: Any, keyword: str = "callback", **kwargs: Any) -> Any:
        """Call a pika method that answers by callback, and return its answer.

        Raises:
            Lost: The channel ended instead.
        """
        assert self._ended is not None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            method(*args, **kwargs, **{keyword: lambda result: _resolve(answer, result)})
        except Exception as error:
            raise Lost(str(error)) from error
        await asyncio.wait({answer, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise Lost(self._ended.result())

    async def _declare(self) -> None:
        for exchange in self._topology.exchanges:
            await self._declared(
                exchange.name, self.channel.exchange_declare, exchange.name, exchange.type, durable=True
            )
        for queue in self._topology.queues:
            await self._declare_queue(queue)

    async def _declare_queue(self, queue: Queue) -> None:
        await self._declared(
            queue.name, self.channel.queue_declare, queue.name, durable=True, arguments=dict(queue.arguments)
        )
        for binding in queue.bindings:
            await self.call(self.channel.queue_bind, queue.name, binding.exchange, binding.routing_key)

    async def _declared(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        try:
            await self.call(method, *args, **kwargs)
        except Lost as error:
            if str(PRECONDITION_FAILED) in str(error):
                raise TopologyMismatch(name, str(error)) from error
            raise

    def end(self, reason: str, error: BaseException | None = None) -> None:
        """Give this connection up; a new one follows."""
        if isinstance(error, ChannelClosedByBroker | ConnectionClosedByBroker):
            reason = f"{error.reply_code} {error.reply_text}"
        if self._ended is not None and not self._ended.done():
            self._channel = None
            self._usable.clear()
            self._ended.set_result(reason)

    async def _close_now(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        self._usable.clear()
        if connection is None or connection.is_closed:
            return
        closed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        connection.add_on_close_callback(lambda *_: _resolve(closed, None))
        if not connection.is_closing:
            connection.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closed, timeout=CLOSE_SECONDS)

    def _set_blocked(self, blocked: bool) -> None:
        self.blocked = blocked
        logger.warning("broker blocks publishers" if blocked else "broker takes messages again")


def _parameters(url: str, role: str) -> URLParameters:
    try:
        parameters = URLParameters(url)
    except Exception as error:
        raise BrokerUnavailable(
            f"the URL cannot be read ({error})", "correct BATCHTASK_AMQP_URL: amqp://user:password@host:5672/vhost"
        ) from error
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.client_properties = {"connection_name": f"batchtask {role}"}
    # Retrying is ours, with one error at the end, not pika's.
    parameters.connection_attempts = 1
    parameters.socket_timeout = 5
    parameters.stack_timeout = 8
    return parameters


def _explain(error: BaseException, parameters: URLParameters) -> BrokerUnavailable:
    place = f"{parameters.host}:{parameters.port}"
    causes = _causes(error)
    if any(isinstance(cause, ProbableAuthenticationError) for cause in causes) or "ACCESS_REFUSED" in str(causes):
        return BrokerUnavailable(
            f"{place} refused the login of {parameters.credentials.username!r}",
            "correct user and password in BATCHTASK_AMQP_URL",
        )
    if any(isinstance(cause, ProbableAccessDeniedError) for cause in causes) or "NOT_ALLOWED" in str(causes):
        return BrokerUnavailable(
            f"{place} has no virtual host {parameters.virtual_host!r} for {parameters.credentials.username!r}",
            "create it and give the user permissions, or correct BATCHTASK_AMQP_URL",
        )
    return BrokerUnavailable(
        f"nothing at {place} speaks AMQP ({causes[-1]})", "start RabbitMQ or correct BATCHTASK_AMQP_URL"
    )


def _causes(error: BaseException) -> list[BaseException]:
    found = [error]
    # pika wraps what happened in its connection workflow's errors, some as a list, some one in another.
    inner = [*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args]
    for cause in inner:
        if isinstance(cause, BaseException):
            found += _causes(cause)
    return found


def _require_version(connection: AsyncioConnection) -> None:
    properties = connection.server_properties or {}
    version = str(properties.get("version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_BROKER:
        wanted = ".".join(map(str, OLDEST_BROKER))
        raise BrokerUnavailable(
            f"{properties.get('product', 'the broker')} {version} is too old", f"install RabbitMQ {wanted} or newer"
        )


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _reject(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
