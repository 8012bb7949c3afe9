"""What a process has started, and what that has started: found and killed, wherever it went. Linux.

A group or session of its own is easily left (`setsid`, a double fork: how every daemon begins). A parent is not,
if whoever loses one is adopted by the nearest ancestor that asked for it: `adopt_orphans`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path

#: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own. Ends with the process; a fork does not inherit it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> Iterator[int]:
    """Walk down from a process, which is not told itself; zombies are among them."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def children(pid: int) -> list[int]:
    """The processes that a process is the parent of; none when it is gone."""
    found: list[int] = []
    # A process is the child of the thread that started it: https://man7.org/linux/man-pages/man5/proc_tid_children.5.html
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def kill_descendants(pid: int) -> None:
    """Kill all descendants of a process that starts none itself meanwhile, and adopts orphans.

    Whatever starts another one before the kill reaches it has its child adopted, so the next look finds that. Who has
    been sent the signal starts nothing more.
    """
    killed: set[int] = set()
    while new := set(descendants(pid)) - killed:
        for descendant in new:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(descendant, signal.SIGKILL)
        killed |= new


def kill_tree(pid: int) -> None:
    """Kill a process that adopts orphans, and all its descendants. Harmless when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)  # it starts nothing more, but still adopts
        kill_descendants(pid)
        os.kill(pid, signal.SIGKILL)
