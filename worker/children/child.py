"""The worker's side of one child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import ClassVar

from batchtask.answers import Answer
from batchtask.outcomes import Lost
from worker.children.descendants import kill_tree
from worker.children.family import Family
from worker.children.frames import (
    Appended,
    CancelRun,
    Done,
    FrameReader,
    FromChild,
    LogLine,
    Progress,
    Ready,
    Run,
    TimeShort,
    ToChild,
    encode,
)
from worker.children.process import ChildSettings, main

#: What a dead child had written is read within this time, even if something still holds its socket. A guess.
LAST_WORDS_SECONDS = 0.5
#: The loop stands still meanwhile, so it is short; the exit code of a killed process is there at once.
JOIN_SECONDS = 0.2

Report = Callable[[Progress | LogLine | Appended], None]


class Child(asyncio.Protocol):
    """A process that runs one task at a time. Belongs to one event loop."""

    _family: ClassVar[Family] = Family()

    def __init__(self, process: ForkServerProcess, link: socket.socket) -> None:
        self._process = process
        self._link = link
        self._reader = FrameReader(FromChild)
        self._transport: asyncio.WriteTransport | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[Answer | Lost] | None = None
        self._report: Report = lambda _: None
        self._process_runs = True
        self.alive = True
        self.tasks = 0  #: that it was given so far
        self.looked_at = asyncio.get_running_loop().time()  #: when somebody last asked how much memory it holds
        self.worn = False  #: shall run nothing more, although it could

    @classmethod
    async def start(cls, context: ForkServerContext, settings: ChildSettings) -> Child:
        """Start a process and wait until it takes tasks."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        child = cls(context.Process(target=main, args=(theirs, settings), daemon=True), ours)
        try:
            await child._begin(theirs)
        except BaseException:
            child.close()  # and so the process, if there is one, ends
            raise
        return child

    async def _begin(self, theirs: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with self._family.birth():
            # It blocks for the time of a fork and a few messages. Once begun it is finished, or their end stays open.
            await asyncio.shield(loop.run_in_executor(None, _start, self._process, theirs))
            self._family.add(self.pid)
        await loop.create_connection(lambda: self, sock=self._link)
        # A process that it forked may hold the socket open when it dies.
        loop.add_reader(self._process.sentinel, self._process_ended)
        await self._ready

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    async def run(self, run: Run, report: Report) -> Answer | Lost:
        """Run a task and return what it ended in; `Lost` when the process died under it."""
        if not self.alive:
            return Lost(detail="the process was gone before it began")
        self._ended = asyncio.get_running_loop().create_future()
        self._report = report
        self.tasks += 1
        self._send(run)
        return await self._ended

    def cancel(self, run: Run) -> None:
        """Tell the task code that somebody wants it to stop."""
        if self.alive:
            self._send(CancelRun(run.task_id, run.fence))

    def tell_time_is_short(self, run: Run, *, interrupt: bool) -> None:
        """Tell the task code that its soft limit has passed; `interrupt` raises in the middle of whatever it does."""
        if self.alive:
            self.worn = self.worn or interrupt  # whatever was torn, no other task shall find it
            self._send(TimeShort(run.task_id, run.fence, interrupt))

    def kill(self) -> None:
        """End the process and all it started, at once; a running `run` then returns `Lost`."""
        self.alive = False  # whatever it still answers, it takes no further task
        if self._process_runs:
            kill_tree(self.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # The group is named for the child, which leads it from its first line on; before that there is no group.
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let the process end by itself: it does when the socket closes."""
        if self._transport is not None:
            self._transport.close()
        else:
            self._link.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            match frame:
                case Done():
                    self._end(frame.outcome)
                case Ready():
                    self._family.meet(frame.parent)
                    self._ready.set_result(None)
                case _:
                    self._report(frame)

    def _process_ended(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._process.sentinel)
        self._process_runs = False
        self.kill()
        self._family.remove(self.pid)
        if self._transport is not None:
            loop.call_later(LAST_WORDS_SECONDS, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        if not self._ready.done():
            self._ready.set_exception(ChildProcessError("a child process died while it started"))
        # What it started may live on without it.
        self.kill()
        self._process.join(JOIN_SECONDS)
        self._family.remove(self.pid)
        self._end(Lost(detail=_death(self._process.exitcode)))

    def _end(self, outcome: Answer | Lost) -> None:
        ended, self._ended = self._ended, None
        self._report = lambda _: None
        if ended is not None and not ended.done():
            ended.set_result(outcome)

    def _send(self, frame: ToChild) -> None:
        assert self._transport is not None
        self._transport.write(encode(frame))


def _start(process: ForkServerProcess, theirs: socket.socket) -> None:
    try:
        process.start()
    finally:
        theirs.close()  # here: whoever waits for us may be gone, and the number would soon mean another file


def _death(exitcode: int | None) -> str:
    if exitcode is None:
        return "the process closed its link"
    if exitcode < 0:
        return f"the process was ended by {_signal_name(-exitcode)}"
    return f"the process ended with exit code {exitcode}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"
