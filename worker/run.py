"""Running one worker as a process: settings, signals, exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping

from batchtask import logs
from batchtask.definitions import Registry
from batchtask.errors import BatchTaskError
from batchtask.settings import Settings
from worker.service import Worker

STOPPED, CANNOT_RUN = 0, 2


def run(environ: Mapping[str, str], **overrides: object) -> int:
    """Run a worker until a signal comes, and return the exit code: 0 = stopped as asked, 2 = it cannot run."""
    try:
        settings = Settings.read(environ, **overrides)
        logs.configure(settings.log_level)
        asyncio.run(_serve(settings))
    except BatchTaskError as error:
        sys.stderr.write(f"batchtask worker: {error}\n")
        return CANNOT_RUN
    return STOPPED


async def _serve(settings: Settings) -> None:
    stops: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stops.put_nowait, number)
    worker = Worker(settings, Registry.installed())
    await worker.start()
    failed = asyncio.ensure_future(worker.failed())
    first = asyncio.ensure_future(stops.get())
    await asyncio.wait({failed, first}, return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        await worker.stop()
        return failed.result()
    failed.cancel()
    draining = asyncio.ensure_future(worker.drain())
    second = asyncio.ensure_future(stops.get())
    await asyncio.wait({draining, second}, return_when=asyncio.FIRST_COMPLETED)
    second.cancel()
    if not draining.done():
        draining.cancel()
        await worker.stop()
    return None
