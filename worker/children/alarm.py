"""Raising `TimeIsShort` in the middle of task code, and nowhere else. See `process` for who tells.

Only a signal reaches a main thread that waits in a system call. Its handler looks at the stack: an exception between
two lines of ours would tear a frame on the socket, a commit, or the answer of a task that has just returned.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

from batchtask.definitions import TimeIsShort
from worker.children.frames import Run

#: Task code and its libraries hardly use it, unlike SIGUSR1.
SIGNAL = signal.SIGRTMAX
#: While the main thread is busy with what must not be torn, it is asked again after so many seconds.
AGAIN_SECONDS = 0.05
#: Modules that are not interrupted, nor what they call. An import that was torn cannot be repeated in this process.
WHOLE = ("worker.children.", "logging", "importlib.", "_frozen_importlib")

T = TypeVar("T")
P = ParamSpec("P")


class Alarm:
    """Made and used by the main thread; only `ring` may be called from another one."""

    def __init__(self) -> None:
        self._main = threading.main_thread().ident or 0
        self._ringing: Run | None = None
        self._calling: Run | None = None
        signal.signal(SIGNAL, self._on_signal)

    def call(self, run: Run, task_code: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call task code, out of which `TimeIsShort` may come, at most once; what has returned has returned."""
        self._calling = run
        try:
            return task_code(*args, **kwargs)
        finally:
            self._calling = None

    def ring(self, run: Run, over: Callable[[], bool]) -> None:
        """Raise in the task code of a run, as soon as that can be interrupted; gives up when the run is over."""
        self._ringing = run
        threading.Thread(target=self._urge, args=(run, over), daemon=True).start()

    def _urge(self, run: Run, over: Callable[[], bool]) -> None:
        while self._ringing is run and not over():
            signal.pthread_kill(self._main, SIGNAL)
            time.sleep(AGAIN_SECONDS)

    def _on_signal(self, _: int, frame: FrameType | None) -> None:
        if self._calling is not None and self._ringing is self._calling and _in_task_code(frame):
            self._ringing = None
            raise TimeIsShort


def _in_task_code(frame: FrameType | None) -> bool:
    """Whether the way from a frame out to `Alarm.call`, which is ours, leads through nothing that must stay whole."""
    outer = frame
    while outer is not None and outer.f_code is not Alarm.call.__code__:
        if str(outer.f_globals.get("__name__", "")).startswith(WHOLE):
            return False
        outer = outer.f_back
    return outer is not None and outer is not frame
