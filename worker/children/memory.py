"""How much memory processes hold, read from /proc. Linux.

What a forked process shares with others counts by its share (PSS): a child shares most of its code with the fork
server. Finding that out takes a walk over all its pages; so the resident size is read first, which is never less.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from worker.children.descendants import descendants

KIB_PER_MIB = 1024
#: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
_RESIDENT = re.compile(r"^(?:VmRSS|VmSwap):\s+(\d+) kB", re.MULTILINE)
#: https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html
_PROPORTIONAL = re.compile(r"^(?:Pss|SwapPss):\s+(\d+) kB", re.MULTILINE)


def holds_more(pid: int, limit_mb: int) -> bool:
    """Whether a process holds more than so many MB."""
    return _more([pid], limit_mb)


def tree_holds_more(pid: int, limit_mb: int) -> bool:
    """Whether a process and all its descendants together hold more than so many MB."""
    return _more([pid, *descendants(pid)], limit_mb)


def _more(pids: Sequence[int], limit_mb: int) -> bool:
    limit = limit_mb * KIB_PER_MIB
    return sum(map(_resident, pids)) > limit and sum(map(_proportional, pids)) > limit


def _resident(pid: int) -> int:
    return _sum(_RESIDENT, Path(f"/proc/{pid}/status")) or 0


def _proportional(pid: int) -> int:
    """Its share; all of it when only a privileged reader may know, as for a program that changed its user."""
    share = _sum(_PROPORTIONAL, Path(f"/proc/{pid}/smaps_rollup"))
    return _resident(pid) if share is None else share


def _sum(numbers: re.Pattern[str], file: Path) -> int | None:
    """In KiB; None when it cannot be read, mostly because the process has ended."""
    try:
        return sum(map(int, numbers.findall(file.read_text(errors="replace"))))
    except OSError:
        return None
