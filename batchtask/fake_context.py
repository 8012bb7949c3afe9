"""The context that `batchtask.testing` runs task code with: it keeps in memory what a worker keeps for good.

`tests/contract/test_task_context.py` holds it to what the context of a worker's child does. It differs in three
things: all progress is kept, not one report a second; a death unwinds the stack, so that `finally` runs; and nothing
but the context's own methods notices a stop, a death or a limit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from batchtask.definitions import CancelledByRequest, EffectInDoubt, TimeIsShort
from batchtask.errors import LeaseLost
from batchtask.identifiers import TaskId
from batchtask.keeping import check_effect_key, kept_checkpoint, kept_effect, kept_line, kept_progress, result_file
from batchtask.sealing import Sealer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

TASK_ID = TaskId(UUID("01890000-0000-7000-8000-00000000002a"))


class Killed(BaseException):
    """The process dies here: no `except Exception` of the task's code catches it."""


class FakeContext:
    """See `batchtask.definitions.TaskContext`; below, what it has besides.

    Args:
        folder: For result files.
        database_url: Of the CRM; "" for a task that needs none.
        cancel_after: Safe points to pass before somebody asks for a stop; None = nobody does.
        killed_after: Safe points to pass before the process dies; None = it does not.
        killed_at: Number of the moment, from 0, at which the process dies; None = it does not. See `moments`.
        time_is_short: The soft limit has passed already.
        short_after: Looks at `time_is_short`, or safe points for a task that wants `TimeIsShort` raised, before the
            soft limit passes; None = it does not.
        lease_lost: Somebody else works on the task by now: nothing can be committed any more.
        checkpoint: What an earlier attempt saved.
        effects: What the ledger holds already, by key; None = in doubt.
    """

    def __init__(
        self,
        *,
        folder: Path,
        database_url: str = "",
        owner: int = 1,
        attempt: int = 1,
        task_id: TaskId = TASK_ID,
        traceparent: str | None = None,
        time_is_short: bool = False,
        short_after: int | None = None,
        cancel_after: int | None = None,
        killed_after: int | None = None,
        killed_at: int | None = None,
        lease_lost: bool = False,
        archive_dir: Path = Path(),
        sealer: Sealer | None = None,
        log: logging.Logger | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        effects: Mapping[str, str | None] | None = None,
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self.owner = owner
        self.attempt = attempt
        self.task_id = task_id
        self.traceparent = traceparent
        self.short_after = 0 if time_is_short else short_after
        self.cancel_after = cancel_after
        self.killed_after = killed_after
        self.killed_at = killed_at
        self.lease_lost = lease_lost
        self.archive_dir = archive_dir
        self.sealer = sealer or Sealer("")
        self.log = log or logging.getLogger("batchtask.task.test")
        self.checkpoint = checkpoint
        self.effects = dict(effects or {})  #: by key; None = died in between
        self.reports: list[tuple[int, str]] = []  #: all progress
        self.lines: list[tuple[int, str]] = []  #: log lines of `run_task` and `run_attempt`, with their levels
        self.moments: list[str] = []  #: of this attempt: all at which a death makes a difference, in words
        self.safe_points = 0  #: passed so far
        self.raises_time_is_short = False  #: as its definition says; set by `run_task` and `run_attempt`
        self._looks = 0  #: at `time_is_short`
        self._dead = False
        self._unsaved: dict[str, Any] | None = None
        self._inside = False  #: a transaction is open

    def next_attempt(self) -> None:
        """Begin the next attempt: what was kept stays, and nobody kills or stops this one."""
        self.attempt += 1
        self.cancel_after = self.killed_after = self.killed_at = self.short_after = None
        self.begin()

    def begin(self) -> None:
        """Begin to run task code in a process that lives."""
        self._dead = False
        self.moments = []

    @property
    def cancel_requested(self) -> bool:
        self._pass()
        return self._stop_wanted

    def check_cancelled(self) -> None:
        self._pass()
        if self._stop_wanted:
            raise CancelledByRequest

    @property
    def time_is_short(self) -> bool:
        self._looks += 1
        return self.short_after is not None and self._looks > self.short_after

    def progress(self, percent: float, text: str = "") -> None:
        self._moment("progress")
        self.reports.append(kept_progress(percent, text))

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        self._moment("before a connection")
        with _engine_for(self.database_url).connect() as connection:
            yield connection
        self._moment("after a connection")

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        return deepcopy(self._checkpoint)

    @checkpoint.setter
    def checkpoint(self, data: Mapping[str, Any] | None) -> None:
        self._checkpoint = None if data is None else kept_checkpoint(data)

    def save_checkpoint(self, data: Mapping[str, Any]) -> None:
        kept = kept_checkpoint(data)
        if self._inside:
            self._unsaved = kept
            return
        self._moment("before a checkpoint")
        self._require_lease()
        self._checkpoint = kept
        self._moment("after a checkpoint")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        from batchtask.blocks import Block, refuse_nested  # noqa: PLC0415 - most tests need no database

        refuse_nested(self._inside)
        self._inside, self._unsaved = True, None
        try:
            with Block(_engine_for(self.database_url), expire_on_commit=False) as session:  # closing rolls back
                yield session
                session.flush()
                self._moment("before a commit")
                self._require_lease()
                session.commit_now()
            self._keep_unsaved()
        finally:
            self._inside = False
        self._moment("after a commit")

    def _keep_unsaved(self) -> None:
        if self._unsaved is not None:
            self._checkpoint = self._unsaved

    def effect(
        self,
        key: str,
        perform: Callable[[], str | None],
        *,
        ask: Callable[[], str | None] | None = None,
        not_done: tuple[type[Exception], ...] = (),
    ) -> str:
        check_effect_key(key)
        self._moment(f"before effect {key!r}")
        if key in self.effects:
            known = self._known(key, ask)
            if known is not None:
                return known
        self._require_lease()
        self.effects[key] = None
        self._moment(f"effect {key!r} intended")
        try:
            told = perform()
        except not_done:
            del self.effects[key]
            raise
        self._moment(f"effect {key!r} performed")
        self.effects[key] = outcome = kept_effect(told)
        self._moment(f"effect {key!r} remembered")
        return outcome

    def _known(self, key: str, ask: Callable[[], str | None] | None) -> str | None:
        """What is remembered of an effect that an earlier call began; None = it was not done."""
        known = self.effects[key]
        if known is not None:
            return known
        if ask is None:
            raise EffectInDoubt(key)
        found = ask()
        if found is None:
            return None
        self.effects[key] = kept = kept_effect(found)
        return kept

    def result_path(self, name: str) -> Path:
        return result_file(self.folder, name)

    @contextmanager
    def keeping_lines(self) -> Iterator[None]:
        """Keep what any logger says at info and above, as a worker does."""
        root, handler = logging.getLogger(), _Keeper(self.lines)
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)

    def returned(self) -> None:
        """Task code has returned, and its outcome is not recorded yet."""
        self._moment("before the outcome is recorded")

    @property
    def _stop_wanted(self) -> bool:
        return self.cancel_after is not None and self.safe_points > self.cancel_after

    def _pass(self) -> None:
        self._moment("safe point")
        self.safe_points += 1
        if self.killed_after is not None and self.safe_points > self.killed_after:
            raise Killed
        if self.raises_time_is_short and self.short_after is not None and self.safe_points > self.short_after:
            self.raises_time_is_short = False  # once
            raise TimeIsShort

    def _moment(self, what: str) -> None:
        """Die, if that is wanted at this moment; a dead process does nothing more, not even in `finally`."""
        if self.killed_at == len(self.moments):
            self._dead = True
        self.moments.append(what)
        if self._dead:
            raise Killed(what)

    def _require_lease(self) -> None:
        if self.lease_lost:
            raise LeaseLost(str(self.task_id), self.attempt)


@cache
def _engine_for(database_url: str) -> Engine:
    """One engine for each database: it asks the server once for what it is. It keeps no connections open."""
    from batchtask.database import make_engine  # noqa: PLC0415 - most tests need no database

    return make_engine(database_url, pool_size=0, idle_seconds=None)


class _Keeper(logging.Handler):
    def __init__(self, lines: list[tuple[int, str]]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((record.levelno, kept_line(self.format(record))))
