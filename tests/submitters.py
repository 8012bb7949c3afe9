"""Both producers behind one synchronous face, so that one suite holds for both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol, Self, TypeVar

import aio_pika
from aio_pika.abc import AbstractRobustConnection

from batchtask.definitions import Registry
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from producer import TaskRequest, aio, blocking

T = TypeVar("T")

#: Longer than any deadline in the suite: what takes this long hangs.
HANG_SECONDS = 60


class Submitter(Protocol):
    """What both producers can do."""

    def submit(self, name: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> TaskId: ...

    def submit_many(self, requests: Iterable[TaskRequest]) -> list[TaskId]: ...

    def cancel(self, task_id: TaskId, *, requested_by: int = 0, reason: str = "", force: bool = False) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class AioSubmitter:
    """Drives `producer.aio` on an event loop in a thread.

    Args:
        shared: Give the producer a robust connection, as a web tier would that has one already.
    """

    def __init__(self, settings: Settings, registry: Registry, *, shared: bool = False) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.connection: AbstractRobustConnection | None = None
        try:
            if shared:
                self.connection = self.run(_connect(settings.amqp_url))
            self.producer = aio.Producer(settings, registry=registry, connection=self.connection)
        except BaseException:
            self._end_thread()
            raise

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(HANG_SECONDS)

    def submit(self, name: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> TaskId:
        return self.run(self.producer.submit(name, parameters, **fields))

    def submit_many(self, requests: Iterable[TaskRequest]) -> list[TaskId]:
        return self.run(self.producer.submit_many(requests))

    def cancel(self, task_id: TaskId, *, requested_by: int = 0, reason: str = "", force: bool = False) -> None:
        self.run(self.producer.cancel(task_id, requested_by=requested_by, reason=reason, force=force))

    def close(self) -> None:
        self.run(self.producer.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self.connection is not None:
            self.run(self.connection.close())
        self._end_thread()

    def _end_thread(self) -> None:
        self.run(_others_done())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _others_done() -> None:
    """What aio-pika and asyncio close, they close some turns of the loop later."""
    for _ in range(3):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, asyncio.sleep(0), return_exceptions=True)


async def _connect(url: str) -> AbstractRobustConnection:
    return await aio_pika.connect_robust(url, reconnect_interval=0.2)


MakeSubmitter = Callable[[Settings, Registry], Submitter]

SUBMITTERS: dict[str, MakeSubmitter] = {
    "blocking": lambda settings, registry: blocking.Producer(settings, registry=registry),
    "aio": AioSubmitter,
    "aio-shared": lambda settings, registry: AioSubmitter(settings, registry, shared=True),
}
