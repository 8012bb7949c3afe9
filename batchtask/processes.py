"""Running a long-lived part as a process: settings, logs, signals, exit code."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from batchtask import logs
from batchtask.errors import BatchTaskError
from batchtask.settings import Settings

logger = logging.getLogger(__name__)

STOPPED, CANNOT_RUN = 0, 2


class Service(Protocol):
    """A part of the system that runs until it is told to stop."""

    async def start(self) -> None: ...

    async def failed(self) -> None:
        """Return never; raise when it cannot go on."""

    async def drain(self) -> None:
        """Stop in good order."""

    async def stop(self) -> None:
        """Stop at once."""


def run_service(
    name: str, make: Callable[[Settings], Service], environ: Mapping[str, str], **overrides: object
) -> int:
    """Run a service until a signal comes; the first drains it, the second stops it at once.

    Returns:
        The exit code: 0 = stopped as asked, 2 = it cannot run, and one line on standard error says why.
    """
    try:
        settings = Settings.read(environ, **overrides)
        logs.configure(settings.log_level)
        asyncio.run(_serve(make, settings))
    except BatchTaskError as error:
        sys.stderr.write(f"batchtask {name}: {error}\n")
        return CANNOT_RUN
    logger.info("stopped", extra={"service": name})
    return STOPPED


async def _serve(make: Callable[[Settings], Service], settings: Settings) -> None:
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, number)
    service = make(settings)
    try:
        if await _first(service.start(), signals.get()) == 0:
            await _first(service.failed(), signals.get())
            await _first(service.drain(), signals.get())
    finally:
        await service.stop()


async def _first(work: Awaitable[object], signal_came: Awaitable[object]) -> int:
    """Wait for one of both and give the other up; return which, and raise what the work raised."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(signal_came)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    if tasks[0] in done:
        tasks[0].result()
        return 0
    return 1
