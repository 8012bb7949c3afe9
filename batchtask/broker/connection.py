"""One AMQP connection with one channel, opened again by itself for as long as it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
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

from batchtask import connecting
from batchtask.connecting import CLOSE_SECONDS, HEARTBEAT_SECONDS, NOT_YET, OPEN_SECONDS
from batchtask.errors import BrokerUnavailable, TopologyMismatch
from batchtask.topology import TOPOLOGY, Queue, Topology

logger = logging.getLogger(__name__)

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
        self._gone: asyncio.Future[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._usable = asyncio.Event()
        self._unblocked = asyncio.Event()
        self._unblocked.set()
        self.trouble = NOT_YET  #: why there is no connection, in words; empty while there is one

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
    def version(self) -> tuple[int, ...]:
        """Major and minor version of the broker that answers; empty while none does."""
        return connecting.version((self._connection and self._connection.server_properties) or {})

    @property
    def usable(self) -> bool:
        return self._usable.is_set()

    @property
    def blocked(self) -> bool:
        """True while the broker reads nothing more from publishers: memory or disk alarm."""
        return not self._unblocked.is_set()

    @property
    def given_up(self) -> bool:
        """True once nothing keeps the connection open: it was closed, or the broker has other queues than ours."""
        return self._keeper is None or self._keeper.done()

    async def wait_usable(self) -> None:
        """Wait until the channel is open and the broker reads from it.

        Raises:
            Closed: It will not be: `close` was called.
            TopologyMismatch: It will not be: a queue exists with other arguments.
        """
        while not self.usable or self.blocked:
            if self._keeper is None:
                raise connecting.Closed(self.trouble)
            await connecting.unless_ended(self._open_and_unblocked(), self._keeper)

    async def _open_and_unblocked(self) -> None:
        await self._usable.wait()
        # What is sent while blocked piles up in this process, and is published long after its sender was told no.
        await self._unblocked.wait()

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
            raise connecting.gave_up(error) from error
        except Exception:
            await self._close_now()
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self._role}")

    def start_in_background(self) -> None:
        """Open as soon as the broker lets us; `wait_usable` tells when, `trouble` why not yet.

        May be called again once the connection was given up.
        """

        async def open_and_keep() -> None:
            await self._reopen()
            await self._keep()

        self._keeper = asyncio.create_task(open_and_keep(), name=f"keep {self._role}")
        self._keeper.add_done_callback(connecting.log_end)

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
        for pause in connecting.pauses():
            try:
                await self._open()
            except (BrokerUnavailable, Lost) as error:
                self.trouble = str(error)
                logger.debug("broker not back yet", extra={"role": self._role, "reason": str(error)})
                await self._close_now()
                await asyncio.sleep(pause)
            except TopologyMismatch:
                await self._close_now()
                raise
            else:
                return

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        self._unblocked.set()
        await self._connect(loop)
        assert self._connection is not None
        connecting.require_version(self._connection.server_properties or {})
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

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        opened: asyncio.Future[None] = loop.create_future()
        gone = self._gone = loop.create_future()

        def refused(_: object, error: BaseException) -> None:
            _resolve(gone, None)
            _reject(opened, _explain(error, self._parameters))

        def closed(_: object, reason: BaseException) -> None:
            _resolve(gone, None)
            self.end(str(reason), reason)

        # Kept before it is open, so that whoever gives up waiting can close it.
        self._connection = AsyncioConnection(
            self._parameters,
            on_open_callback=lambda _: _resolve(opened, None),
            on_open_error_callback=refused,
            on_close_callback=closed,
            custom_ioloop=loop,
        )
        await opened

    async def call(self, method: Callable[..., Any], *args: Any, keyword: str = "callback", **kwargs: Any) -> Any:
        """Call a pika method that answers by callback, and return its answer.

        Raises:
            Lost: The channel ended instead.
        """
        ended = self._ended  # of this connection; when we come back there may be another one
        assert ended is not None
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            method(*args, **kwargs, **{keyword: lambda result: _resolve(answer, result)})
        except Exception as error:
            raise Lost(str(error)) from error
        await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise Lost(ended.result())

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
        if not connection.is_closing:
            connection.close()
        assert self._gone is not None
        await asyncio.wait({self._gone}, timeout=CLOSE_SECONDS)
        if not self._gone.done():
            # It does not answer, or reads nothing while it blocks publishers: pika would keep the socket for ever.
            with contextlib.suppress(Exception):
                connection._terminate_stream(ConnectionAbortedError("no answer to the close"))
            await asyncio.wait({self._gone}, timeout=CLOSE_SECONDS)

    def _set_blocked(self, blocked: bool) -> None:
        if blocked:
            self._unblocked.clear()
        else:
            self._unblocked.set()
        logger.warning("broker blocks publishers" if blocked else "broker takes messages again")


def _parameters(url: str, role: str) -> URLParameters:
    try:
        parameters = URLParameters(url)
    except Exception as error:
        raise connecting.unreadable_url(error) from error
    parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.client_properties = {"connection_name": f"batchtask {role}"}
    # Retrying is ours, with one error at the end, not pika's.
    parameters.connection_attempts = 1
    parameters.socket_timeout = 5
    parameters.stack_timeout = OPEN_SECONDS
    return parameters


def _explain(error: BaseException, parameters: URLParameters) -> BrokerUnavailable:
    place = f"{parameters.host}:{parameters.port}"
    causes = _causes(error)
    user = parameters.credentials.username
    if any(isinstance(cause, ProbableAuthenticationError) for cause in causes) or "ACCESS_REFUSED" in str(causes):
        return connecting.refused_login(place, user)
    if any(isinstance(cause, ProbableAccessDeniedError) for cause in causes) or "NOT_ALLOWED" in str(causes):
        return connecting.no_virtual_host(place, parameters.virtual_host, user)
    return connecting.nothing_there(place, causes[-1])


def _causes(error: BaseException) -> list[BaseException]:
    found = [error]
    # pika wraps what happened in its connection workflow's errors, some as a list, some one in another.
    inner = [*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args]
    for cause in inner:
        if isinstance(cause, BaseException):
            found += _causes(cause)
    return found


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _reject(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
