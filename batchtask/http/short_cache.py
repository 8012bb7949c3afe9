"""What was found out a moment ago, so that a browser that asks every second costs no look at the database each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from batchtask.http.bounded import BoundedDict

T = TypeVar("T")


class ShortCache(Generic[T]):
    """Keeps answers for a short time; those who ask for the same at once share one search. For one event loop.

    Args:
        seconds: How old an answer may be.
        size: Answers kept at most; the oldest is forgotten first.
        clock: Tells seconds.
    """

    def __init__(self, seconds: float, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._searches: BoundedDict[bytes, tuple[float, asyncio.Task[T]]] = BoundedDict(size)

    async def get(self, key: bytes, search: Callable[[], Awaitable[T]]) -> T:
        """Return what the search finds, or found lately. An error is raised to all who wait, and not kept.

        Whoever stops waiting does not stop the search, for others may wait for it too.
        """
        began, task = self._searches.get(key) or (0.0, None)
        if task is None or began + self._seconds <= self._clock():
            task = asyncio.create_task(_found(search))
            self._searches[key] = (self._clock(), task)
            task.add_done_callback(lambda done: self._drop_failed(key, done))
        return await asyncio.shield(task)

    def forget(self, key: bytes) -> None:
        """Have the next one who asks search anew."""
        self._searches.pop(key, None)

    def _drop_failed(self, key: bytes, done: asyncio.Task[T]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and (kept := self._searches.get(key)) and kept[1] is done:
            self.forget(key)


async def _found(search: Callable[[], Awaitable[T]]) -> T:
    return await search()
