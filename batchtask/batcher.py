"""Group commit: callers add one item each and wait; whatever gathered meanwhile is carried out together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs one flush at a time, each with all items that came in during the one before.

    Args:
        flush: Takes the items and returns a result, or an exception to raise, for each, in order.
        largest: Most items in one flush.
        linger_seconds: Least time between the end of a flush and the next one. An item that comes after a pause is
            carried out at once; under load fewer, larger flushes cost less for each item.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        largest: int = 500,
        linger_seconds: float = 0,
    ) -> None:
        self._flush = flush
        self._largest = largest
        self._linger_seconds = linger_seconds
        self._flushed_at = 0.0
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._runner: asyncio.Task[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Hand in one item; the future brings its result, or raises what the flush gave for it."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return answer

    async def idle(self) -> None:
        """Wait until nothing is being carried out."""
        while self._runner is not None:
            await asyncio.wait({self._runner})

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._linger()
                batch = self._waiting[: self._largest]
                del self._waiting[: self._largest]
                await self._flush_batch(batch)
                self._flushed_at = asyncio.get_running_loop().time()
        finally:
            self._runner = None

    async def _linger(self) -> None:
        if len(self._waiting) < self._largest:
            pause = self._flushed_at + self._linger_seconds - asyncio.get_running_loop().time()
            if pause > 0:
                await asyncio.sleep(pause)

    async def _flush_batch(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except Exception as error:
            results = [error] * len(batch)
        for (_, answer), result in zip(batch, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
