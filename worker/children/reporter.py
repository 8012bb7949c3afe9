"""Progress reports on their way out of the child: at most one a second, and the newest one always arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from worker.children.frames import FromChild, Progress

#: Least seconds between two reports.
REPORT_EVERY_SECONDS = 1.0


class Reporter:
    """Sends reports of one task. A report that comes too soon waits; a newer one takes its place."""

    def __init__(self, send: Callable[[FromChild], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._sent: Progress | None = None
        self._sent_at = 0.0
        self._timer: threading.Timer | None = None
        self._waiting: Progress | None = None
        self._closed = False

    def report(self, progress: Progress) -> None:
        """Send now, or as soon as a second has passed since the last one."""
        with self._lock:
            if self._closed or progress == self._sent:
                return  # closed: a thread that the task left behind speaks; another task may run by now
            pause = self._sent_at + REPORT_EVERY_SECONDS - time.monotonic()
            if pause <= 0:
                self._send_now(progress)
                return
            self._waiting = progress
            if self._timer is None:
                self._timer = threading.Timer(pause, self._send_waiting)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Drop what waits: how the task ended says more."""
        with self._lock:
            self._closed, self._waiting = True, None
            if self._timer is not None:
                self._timer.cancel()

    def _send_waiting(self) -> None:
        with self._lock:
            self._timer = None
            if self._waiting is not None:
                self._send_now(self._waiting)

    def _send_now(self, progress: Progress) -> None:
        self._waiting = None
        self._sent, self._sent_at = progress, time.monotonic()
        self._send(progress)
