"""A TCP proxy between our processes and a broker, to break connections as networks do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from batchtask.local.rabbitmq import serves_amqp

CHUNK_BYTES = 65_536
T = TypeVar("T")


class Proxy:
    """Forwards connections to the first of some brokers that serves; has a loop on a thread of its own.

    Args:
        ports: Of the brokers on this machine.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._server = self._run(self._listen)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End every connection, without a word to either side."""

        async def abort() -> None:
            for writer in self._writers:
                writer.transport.abort()

        self._run(abort)

    def stall(self) -> None:
        """Forward nothing and keep everything open: what a host sees whose cable was pulled."""

        async def stop() -> None:
            self._flowing.clear()

        self._run(stop)

    def resume(self) -> None:
        async def go_on() -> None:
            self._flowing.set()

        self._run(go_on)

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

        self._run(end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, step: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(timeout=20)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self._loop.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._kept(writer), contextlib.suppress(OSError):
            await self._flowing.wait()
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", await self._serving_port())
            with self._kept(there_writer):
                pumps = {
                    asyncio.create_task(self._pump(reader, there_writer)),
                    asyncio.create_task(self._pump(there_reader, writer)),
                }
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    async def _serving_port(self) -> int:
        for port in self._ports:
            if len(self._ports) == 1 or await asyncio.to_thread(serves_amqp, port):
                return port
        raise ConnectionRefusedError("no broker serves")

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await self._flowing.wait()
            writer.write(chunk)
            await writer.drain()

    @contextmanager
    def _kept(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


@contextmanager
def proxied(*ports: int) -> Iterator[Proxy]:
    proxy = Proxy(ports)
    try:
        yield proxy
    finally:
        proxy.close()
