"""The child's side: takes one task after the other from the socket and runs it in the main thread.

A second thread listens, so that a wish to cancel arrives while task code runs, and so that the child and whatever
it started die at once when the worker does.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from batchtask.payloads import PayloadStore
from worker.children.context import ChildContext
from worker.children.execution import execute
from worker.children.frames import CancelRun, Done, FrameReader, FromChild, Ready, Run, ToChild, encode


@dataclass(frozen=True)
class ChildSettings:
    """What a child needs to know of the worker's settings."""

    database_url: str
    files_dir: Path
    payload_url: str


def main(link: socket.socket, settings: ChildSettings) -> None:
    """Serve tasks until the worker closes the socket."""
    os.setsid()  # a group of its own, so that a kill reaches what task code started
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which then drains
    from worker.children.preload import registry  # noqa: PLC0415 - the fork server has it loaded, nobody else should

    payloads = PayloadStore(settings.payload_url)
    runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
    cancelled = _Cancelled()
    threading.Thread(target=_listen, args=(link, runs, cancelled), daemon=True).start()
    send = _sender(link)
    send(Ready(os.getpid()))
    while True:
        run = runs.get()
        context = ChildContext(run, settings.database_url, settings.files_dir, send, cancelled.wish_for(run))
        send(Done(execute(registry, payloads, run, context)))


class _Cancelled:
    """Which run somebody asked to stop; a wish for an earlier run means nothing to the present one."""

    def __init__(self) -> None:
        self._task_id: object = None

    def ask(self, cancel: CancelRun) -> None:
        self._task_id = cancel.task_id

    def wish_for(self, run: Run) -> Callable[[], bool]:
        return lambda: self._task_id == run.task_id


def _sender(link: socket.socket) -> Callable[[FromChild], None]:
    lock = threading.Lock()  # task code may log from threads of its own

    def send(frame: FromChild) -> None:
        data = encode(frame)
        with lock:
            link.sendall(data)

    return send


def _listen(link: socket.socket, runs: queue.SimpleQueue[Run], cancelled: _Cancelled) -> None:
    reader = FrameReader(ToChild)
    try:
        while data := link.recv(65536):
            for frame in reader.feed(data):
                if isinstance(frame, Run):
                    runs.put(frame)
                else:
                    cancelled.ask(frame)
    except OSError:
        pass
    # The worker is gone: nobody can record what happens from here on.
    os.killpg(0, signal.SIGKILL)
