"""The rate: no more than so many mails a minute, also when one attempt follows another."""

from __future__ import annotations

import time

from batchtask.definitions import TaskContext

_LOOK_SECONDS = 0.5  # how soon a wish to stop is seen while nothing is to be done; a guess


class Pace:
    """Keeps mails apart in time; evenly, because servers count the minute from wherever they like.

    Args:
        per_minute: Mails at most; 0 = no limit.
        seconds_since_last: Since the last mail of an earlier attempt; None = there was none.
    """

    def __init__(self, per_minute: int, seconds_since_last: float | None) -> None:
        self._apart_seconds = 60 / per_minute if per_minute else 0.0
        since = self._apart_seconds if seconds_since_last is None else seconds_since_last
        self._next_at = time.monotonic() + self._apart_seconds - since

    def wait(self, context: TaskContext) -> bool:
        """Wait for the next mail's time; False if the attempt's own time is up.

        Raises:
            CancelledByRequest: Somebody asked for the task to stop.
        """
        while True:
            context.check_cancelled()
            if context.time_is_short:
                return False
            left = self._next_at - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, _LOOK_SECONDS))
        # From now, not from when it was due: what was missed is not caught up with a rush.
        self._next_at = time.monotonic() + self._apart_seconds
        return True
