"""Waiting for what another process does, off the event loop, with pauses that grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.5


async def wait_until(look: Callable[[], T | None], *, seconds: float) -> T | None:
    """Call a function in a thread, again and again, until it returns something; None when it does not in time.

    It is called once at least. Its errors come through.
    """
    pause = FIRST_PAUSE_SECONDS
    try:
        async with asyncio.timeout(seconds) as limit:
            while (found := await asyncio.to_thread(look)) is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            limit.reschedule(None)
            return found
    except TimeoutError:
        return None
