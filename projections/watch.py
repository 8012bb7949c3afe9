"""What scheduler and relay share: a loop that looks at the database in a thread, and publishes from there."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from batchtask.errors import PublishError
from batchtask.publishing import Message, Publishes, publish_all


class Watch(ABC):
    """Looks again and again, until it is stopped. One event loop; the database work is done in a thread.

    Args:
        name: Of the task and the thread.
        publisher: The way to the broker, started by the caller.
        publish_seconds: How long a publish from the thread waits for its confirms.
    """

    def __init__(self, name: str, publisher: Publishes, publish_seconds: float) -> None:
        self._name = name
        self._publisher = publisher
        self._publish_seconds = publish_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()

    @abstractmethod
    async def _run(self) -> None:
        """Look for ever; hold `_looking` while something is in hand."""

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._runner = asyncio.create_task(self._run(), name=self._name)

    async def failed(self) -> None:
        """Return never; raises when it cannot go on."""
        assert self._runner is not None
        await asyncio.shield(self._runner)

    async def drain(self) -> None:
        """Finish what is in hand and begin nothing more."""
        async with self._looking:
            if self._runner is not None:
                self._runner.cancel()

    async def stop(self) -> None:
        """Stop at once. What was published and not recorded is published again by whoever follows."""
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._runner
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _publish(self, messages: Sequence[Message]) -> Mapping[int, PublishError]:
        """From the thread. The loop's end cancels this, and with it the transaction that waits here."""
        assert self._loop is not None
        publishing = publish_all(self._publisher, messages, deadline_seconds=self._publish_seconds)
        return asyncio.run_coroutine_threadsafe(publishing, self._loop).result()
