"""Retry policies: how often a task is tried again after which kind of failure, and how long it waits before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchtask.outcomes import LONGEST_WAIT_SECONDS, Cause

UNLIMITED = -1
#: Together they stay below what a float holds; the longest delay counts long before.
LARGEST_FACTOR, LARGEST_EXPONENT = 1000, 64


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How a task of one definition is tried again. Each cause has a budget of its own.

    Being interrupted by our shutdown, and a snooze, use none.
    """

    attempts: int = 1  #: tries that may fail with an error of `retry_on`; 1 = no retry, -1 = for ever
    time_limit_attempts: int = 1  #: tries that may run into the time limit
    memory_attempts: int = 1  #: tries that may run into the memory limit
    lost_attempts: int = 3  #: tries whose process may die: then the task is taken to be what kills it
    first_delay_seconds: float = 10.0  #: before the second try
    factor: float = 2.0  #: each further pause is so many times the one before
    longest_delay_seconds: float = 3600.0
    jitter: float = 0.2  #: share of a pause that is left to chance: what failed together returns apart
    retry_on: tuple[type[BaseException], ...] = (Exception,)  #: a `TaskFailure` only if it is named here
    never_on: tuple[type[BaseException], ...] = ()  #: wins over `retry_on`

    def __post_init__(self) -> None:
        for name in ("attempts", "time_limit_attempts", "memory_attempts", "lost_attempts"):
            if getattr(self, name) < 1 and getattr(self, name) != UNLIMITED:
                raise ValueError(f"{name} must be 1 or more, or -1 for no limit, not {getattr(self, name)}")
        for name in ("first_delay_seconds", "longest_delay_seconds"):
            if not 0 <= getattr(self, name) <= LONGEST_WAIT_SECONDS:
                raise ValueError(f"{name} must be from 0 to {LONGEST_WAIT_SECONDS}, not {getattr(self, name)}")
        if not 1 <= self.factor <= LARGEST_FACTOR:
            raise ValueError(f"factor must be from 1 to {LARGEST_FACTOR}, not {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be from 0 to 1, not {self.jitter}")

    def budget(self, cause: Cause) -> int:
        """How many attempts may end with a cause; -1 = any number."""
        return self._budgets().get(cause, 1)

    def retries(self, cause: Cause) -> bool:
        """Whether there can be another try at all after a failure of this cause."""
        return self.budget(cause) != 1

    def may_retry(self, cause: Cause, failures: int) -> bool:
        """Whether another try follows when so many attempts have ended with a cause."""
        budget = self.budget(cause)
        return budget == UNLIMITED or failures < budget

    def delay_seconds(self, failures: int, chance: float) -> float:
        """The pause before the next try.

        Args:
            failures: Attempts that failed so far, from 1.
            chance: A number from 0 to 1, drawn by the caller.
        """
        exponent = min(failures - 1, LARGEST_EXPONENT)
        pause = min(self.first_delay_seconds * self.factor**exponent, self.longest_delay_seconds)
        return pause * (1 - self.jitter * chance)

    def _budgets(self) -> Mapping[Cause, int]:
        return {
            Cause.ERROR: self.attempts,
            Cause.TIME_LIMIT: self.time_limit_attempts,
            Cause.MEMORY: self.memory_attempts,
            Cause.LOST_WORKER: self.lost_attempts,
        }


DEFAULT_RETRY = RetryPolicy()
