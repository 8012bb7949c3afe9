"""The session of one account; another takes its place when it breaks, for one message that the server trips over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from worker.tasks.inbox.imap import Session
from worker.tasks.inbox.problems import AccountProblem, ServerSilent

#: So often is a connection made anew in one run; a silence has cost a minute or more, so it counts for several.
#: Guesses.
MOST_RENEWALS, COST_OF_SILENCE = 12, 5


class Sessions:
    """Logs in, and out at the end; use it as a context manager.

    Args:
        log_in: Opens a session.
    """

    def __init__(self, log_in: Callable[[], AbstractContextManager[Session]]) -> None:
        self._log_in = log_in
        self._left = MOST_RENEWALS
        self._opened: AbstractContextManager[Session] | None = None
        self.current: Session

    def renew(self, problem: AccountProblem) -> None:
        """Log in anew after the connection broke.

        Args:
            problem: Why it broke.

        Raises:
            AccountProblem: That one, if nobody answers by now, or it broke too often.
        """
        self._left -= COST_OF_SILENCE if isinstance(problem, ServerSilent) else 1
        if self._left < 0:
            raise problem
        self.__exit__(type(problem), problem, problem.__traceback__)
        try:
            self.__enter__()
        except AccountProblem as another:
            raise problem from another

    def __enter__(self) -> Self:
        opened = self._log_in()
        self.current = opened.__enter__()
        self._opened = opened
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.__exit__(kind, error, trace)  # after an error it hangs up without a word
