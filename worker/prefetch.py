"""How many deliveries a worker may hold: its slots, and more only while tasks are so short that none waits long.

A worker that holds more than it can run keeps tasks from idle neighbours; one that holds no more than it can run
spends its time on round trips when tasks take milliseconds. So the surplus is bounded by time: at the present pace,
whatever is held begins within a tenth of a second, and when that turns out wrong, it is given back.
"""

from __future__ import annotations

#: Longest that a delivery is meant to wait for a slot.
WAIT_SECONDS = 0.1
#: A delivery that has waited this long is given back.
TOO_LONG_SECONDS = 0.3
#: After that, no surplus for a while.
PENANCE_SECONDS = 30.0
#: Measured: more than this gains nothing. The broker's own ceiling is 2000.
LARGEST = 256
#: Weight of the newest task in the mean.
WEIGHT = 0.02


class PrefetchPolicy:
    """Works out the prefetch from how long tasks hold a slot. Pure: time is handed in.

    Args:
        slots: Tasks that run at a time; never less than this is asked for.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._mean_seconds = WAIT_SECONDS  # modest until tasks have shown to be short
        self._no_surplus_before = 0.0

    def slot_held(self, seconds: float) -> None:
        """Note how long a task held its slot."""
        self._mean_seconds += WEIGHT * (seconds - self._mean_seconds)

    def waited_too_long(self, now: float) -> None:
        """Note that deliveries had to be given back."""
        self._no_surplus_before = now + PENANCE_SECONDS

    def wanted(self, current: int, leased: int, now: float) -> int:
        """The prefetch to ask for; stays at `current` while that is about right, for a change costs round trips.

        Args:
            current: The prefetch that the broker knows.
            leased: Tasks that hold a slot but no message.
            now: Seconds of any clock that only goes forward.
        """
        free = self._slots - leased
        if free == 0 or now < self._no_surplus_before or (leased and current > free):
            return free
        fitting = int(free * WAIT_SECONDS / max(self._mean_seconds, 1e-6))
        fitting = max(free, min(fitting, LARGEST))
        return fitting if fitting >= 2 * current or fitting <= current // 4 or current < free else current
