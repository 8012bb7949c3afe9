"""Own one server process for another process, and end it as soon as that one is gone.

Run as a script, by its path, and importing nothing of this distribution: it has to start fast and stay
small. Standard input is the owner's lifeline: the letter `k` kills the server, anything else or the end of
input (the owner was killed, or closed it) stops it in order.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import TypedDict

KILL = b"k"
STOP = b"s"


class Wanted(TypedDict):
    """What the owner asks for, as JSON in the only argument."""

    command: list[str]
    stop_signal: int
    stop_seconds: float
    uid: int | None  #: account to run the server as; None: the owner's
    gid: int | None


def main(wanted: Wanted) -> int:
    """Start the server, obey the owner until it ends, and return its exit status."""
    owner = os.getppid()
    server = _start(wanted)
    threading.Thread(target=_obey, args=(server, owner, wanted), daemon=True).start()
    status = server.wait()
    _signal_group(server, signal.SIGKILL)  # helpers that outlived their server
    return abs(status)


def _start(wanted: Wanted) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        wanted["command"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        user=wanted["uid"],
        group=wanted["gid"],
        extra_groups=None if wanted["uid"] is None else [],
    )


def _obey(server: subprocess.Popen[bytes], owner: int, wanted: Wanted) -> None:
    if _next_order(owner) != KILL:
        _signal_group(server, wanted["stop_signal"])
        time.sleep(wanted["stop_seconds"])
    _signal_group(server, signal.SIGKILL)


def _next_order(owner: int) -> bytes:
    # The end of input alone is not enough: a process forked by the owner may hold the other end open.
    while os.getppid() == owner:
        if select.select([0], [], [], 1.0)[0]:
            return os.read(0, 1)
    return STOP


def _signal_group(server: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
