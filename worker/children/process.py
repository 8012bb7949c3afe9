"""The child's side: takes one task after the other from the socket and runs it in the main thread.

A second thread listens, so that a wish to cancel arrives while task code runs, and so that the child and whatever
it started die at once when the worker does. What a task starts ends with the task, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from batchtask.payloads import PayloadStore
from batchtask.sealing import Sealer
from worker.children.alarm import Alarm
from worker.children.context import ChildContext
from worker.children.descendants import adopt_orphans, kill_descendants
from worker.children.execution import execute
from worker.children.frames import CancelRun, Done, FrameReader, FromChild, Ready, Run, TimeShort, ToChild, encode


@dataclass(frozen=True)
class ChildSettings:
    """What a child needs to know of the worker's settings."""

    database_url: str
    files_dir: Path
    payload_url: str
    archive_dir: Path = Path()
    secret_keys: str = field(default="", repr=False)


def main(link: socket.socket, settings: ChildSettings) -> None:
    """Serve tasks until the worker closes the socket."""
    os.setsid()  # a group of its own, so that a kill reaches what task code started
    adopt_orphans()  # and what left the group
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which then drains
    from worker.children.preload import registry  # noqa: PLC0415 - the fork server has it loaded, nobody else should

    payloads = PayloadStore(settings.payload_url)
    sealer = Sealer(settings.secret_keys)
    runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
    alarm = Alarm()
    told = _Told(alarm)
    threading.Thread(target=_listen, args=(link, runs, told), daemon=True).start()
    send = _sender(link)
    with contextlib.suppress(BrokenPipeError):  # the worker has left already, as the thread finds out, too
        send(Ready(os.getpid(), os.getppid()))
    while True:
        run = runs.get()
        context = ChildContext(
            run,
            settings.database_url,
            settings.files_dir,
            send,
            archive_dir=settings.archive_dir,
            sealer=sealer,
            cancel_wanted=lambda run=run: told.cancelled == (run.task_id, run.fence),  # type: ignore[misc]
            time_is_short=lambda run=run: told.short is run,  # type: ignore[misc]
        )
        outcome = execute(registry, payloads, run, context, alarm)
        told.run = None
        _end_what_it_started()
        send(Done(outcome))


class _Told:
    """What the worker has told about the present run; what it told about an earlier one means nothing any more."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self.run: Run | None = None
        self.cancelled: tuple[UUID, int] | None = None
        self.short: Run | None = None

    def heed(self, frame: CancelRun | TimeShort) -> None:
        if isinstance(frame, CancelRun):
            self.cancelled = (frame.task_id, frame.fence)  # it may come before its run
            return
        run = self.run
        if run is not None and (run.task_id, run.fence) == (frame.task_id, frame.fence):
            self.short = run
            if frame.interrupt:
                self._alarm.ring(run, over=lambda: self.run is not run)


def _end_what_it_started() -> None:
    """Kill the processes that a task has left behind. Nearly always there are none, as one system call tells."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                kill_descendants(os.getpid())
                os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _sender(link: socket.socket) -> Callable[[FromChild], None]:
    lock = threading.Lock()  # task code may log from threads of its own

    def send(frame: FromChild) -> None:
        data = encode(frame)
        with lock:
            link.sendall(data)

    return send


def _listen(link: socket.socket, runs: queue.SimpleQueue[Run], told: _Told) -> None:
    reader = FrameReader(ToChild)
    try:
        while data := link.recv(65536):
            for frame in reader.feed(data):
                if isinstance(frame, Run):
                    told.run = frame
                    runs.put(frame)
                else:
                    told.heed(frame)
    except OSError:
        pass
    # The worker is gone: nobody can record what happens from here on.
    kill_descendants(os.getpid())
    os.killpg(0, signal.SIGKILL)
