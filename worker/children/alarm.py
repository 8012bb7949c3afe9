"""Raising `TimeIsShort` in the middle of task code, and nowhere else. See `process` for who tells.

Only a signal reaches a main thread that waits in a system call. Its handler looks at the stack: an exception between
two lines of ours would tear a frame on the socket, a commit, or the answer of a task that has just returned. Then the
next line of task code raises it, by way of a trace function, as a debugger stops there.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from batchtask.definitions import TimeIsShort
from worker.children.frames import Run

#: Task code and its libraries hardly use it, unlike SIGUSR1.
SIGNAL = signal.SIGRTMAX
#: While the exception has not been raised, the signal is sent again after so many seconds.
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

    @property
    def _due(self) -> bool:
        return self._calling is not None and self._ringing is self._calling

    def _on_signal(self, _: int, interrupted: FrameType | None) -> None:
        if not self._due:
            return
        frame = _task_code(interrupted)
        if frame is not None and frame is interrupted:
            self._raise()
        if frame is not None and sys.gettrace() is None:  # a debugger is not disturbed
            frame.f_trace = self._on_line
            sys.settrace(_ignore)

    def _on_line(self, _: FrameType, event: str, __: object) -> Any:
        if self._due and event == "line":
            self._raise()
        return self._on_line

    def _raise(self) -> None:
        if sys.gettrace() is _ignore:
            sys.settrace(None)
        self._ringing = None
        raise TimeIsShort


def _task_code(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of task code that has not been called by what must stay whole; None = there is none."""
    found = frame
    while frame is not None and frame.f_code is not Alarm.call.__code__:
        if str(frame.f_globals.get("__name__", "")).startswith(WHOLE):
            found = frame.f_back
        frame = frame.f_back
    return found if frame is not None and found is not frame else None


def _ignore(*_: object) -> None:
    """Trace nothing new; a trace function for all is what makes those of single frames work."""
