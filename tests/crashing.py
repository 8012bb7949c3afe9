"""Kills a process at one of its signal points, the first time that any process gets there.

`python -m tests.crashing worker` runs a worker like that. Its children load the test tasks, and so this module, in
processes of their own.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from batchtask import signal_points


def install(environ: Mapping[str, str]) -> None:
    """Arm the point named by CRASH_AT; CRASH_MARK is the file that tells whether somebody was there before.

    CRASH_BY names another signal than SIGKILL.
    """
    point = environ.get("CRASH_AT")
    if point is None:
        return
    mark, by = Path(environ["CRASH_MARK"]), signal.Signals[environ.get("CRASH_BY", "SIGKILL")]

    def reached(name: str) -> None:
        if name != point:
            return
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), by)

    signal_points.reached = reached


if __name__ == "__main__":
    install(os.environ)
    runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
