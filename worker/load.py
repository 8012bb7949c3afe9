"""How busy the machine's processors are, and whether that is too much to start another task. Linux.

All of the machine counts, as in the original's `CPUThreshold`, and not just what this worker runs.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

#: The load is that of about the last second: shorter and one burst closes, longer and a rush comes in unseen.
WINDOW_SECONDS = 1.0
#: Having closed, open again only when the load is so many points lower: what was not started lowers the load.
MARGIN = 10.0
STAT = Path("/proc/stat")


class ProcessorLoad:
    """Says whether the load is above a threshold; look regularly, several times a second.

    Args:
        threshold: In per cent; 100 = never above.
        stat: https://man7.org/linux/man-pages/man5/proc_stat.5.html
    """

    def __init__(self, threshold: float, *, stat: Path = STAT) -> None:
        self._closes_above = threshold
        self._opens_below = threshold - min(MARGIN, threshold / 2)
        self._stat = stat
        self._samples: deque[tuple[float, int, int]] = deque()
        self.too_high = False

    def look(self, now: float) -> bool:
        """Take a sample, and return whether the load is too high.

        Args:
            now: Seconds of any clock that only goes forward.
        """
        if self._closes_above >= 100:
            return False
        busy, total = _processor_time(self._stat.read_text())
        self._samples.append((now, busy, total))
        while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW_SECONDS:
            self._samples.popleft()
        began, busy_before, total_before = self._samples[0]
        if now - began >= WINDOW_SECONDS and total > total_before:
            load = 100 * (busy - busy_before) / (total - total_before)
            self.too_high = load > (self._opens_below if self.too_high else self._closes_above)
        return self.too_high


def _processor_time(stat: str) -> tuple[int, int]:
    """Busy and all time since the machine started, of all processors. Guests' time is in the user's, too."""
    user, nice, system, idle, iowait, *others = map(int, stat.partition("\n")[0].split()[1:9])
    busy = user + nice + system + sum(others)
    return busy, busy + idle + iowait
