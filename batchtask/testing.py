"""For the tests of task authors: a context that runs task code in the test's own process, without broker and worker.

It keeps what a worker would keep (progress, log lines, the checkpoint, the ledger of effects, result files), so that
a second run with the same context is the next attempt. It can ask for a stop, and die, at any safe point.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from batchtask.definitions import CancelledByRequest, EffectInDoubt, TaskDefinition
from batchtask.identifiers import TaskId
from batchtask.outcomes import Outcome, Succeeded
from batchtask.sealing import Sealer

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

TASK_ID = TaskId(UUID("01890000-0000-7000-8000-00000000002a"))


class Killed(BaseException):
    """The process dies here: no `except Exception` of the task's code catches it."""


@dataclass(kw_only=True)
class FakeContext:
    """See `batchtask.definitions.TaskContext`.

    Args:
        folder: For result files.
        database_url: Of the CRM; "" for a task that needs none.
        cancel_after: Safe points to pass before somebody asks for a stop; None = nobody does.
        killed_after: Safe points to pass before the process dies; None = it does not.
    """

    folder: Path
    database_url: str = ""
    owner: int = 1
    attempt: int = 1
    task_id: TaskId = TASK_ID
    traceparent: str | None = None
    time_is_short: bool = False
    cancel_after: int | None = None
    killed_after: int | None = None
    archive_dir: Path = Path()
    sealer: Sealer = field(default_factory=lambda: Sealer(""))
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("batchtask.task.test"))
    checkpoint: dict[str, Any] | None = None
    reports: list[tuple[float, str]] = field(default_factory=list)  #: all progress
    effects: dict[str, str | None] = field(default_factory=dict)  #: by key; None = died in between
    safe_points: int = 0  #: passed so far

    @property
    def cancel_requested(self) -> bool:
        return self.cancel_after is not None and self.safe_points > self.cancel_after

    def check_cancelled(self) -> None:
        self._pass()
        if self.cancel_requested:
            raise CancelledByRequest

    def progress(self, percent: float, text: str = "") -> None:
        self.reports.append((percent, text))

    def save_checkpoint(self, data: Mapping[str, Any]) -> None:
        if self._unsaved is not None:
            self._unsaved.append(dict(data))
        else:
            self.checkpoint = dict(data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with self._engine() as engine, engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        from sqlalchemy.orm import Session  # noqa: PLC0415 - tests of tasks without a database need none

        self._unsaved = []
        try:
            with self._engine() as engine, Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
            if self._unsaved:
                self.checkpoint = self._unsaved[-1]
        finally:
            self._unsaved = None

    def effect(
        self,
        key: str,
        perform: Callable[[], str | None],
        *,
        ask: Callable[[], str | None] | None = None,
        not_done: tuple[type[Exception], ...] = (),
    ) -> str:
        if key in self.effects:
            known = self.effects[key]
            if known is None and ask is None:
                raise EffectInDoubt(key)
            found = known if known is not None or ask is None else ask()
            if found is not None:
                self.effects[key] = found
                return found
        self.effects[key] = None
        try:
            outcome = perform() or ""
        except not_done:
            del self.effects[key]
            raise
        self.effects[key] = outcome
        return outcome

    def result_path(self, name: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / name

    def next_attempt(self) -> None:
        """Begin the next attempt: what was kept stays, and nobody kills or stops this one."""
        self.attempt += 1
        self.cancel_after = self.killed_after = None

    def _pass(self) -> None:
        self.safe_points += 1
        if self.killed_after is not None and self.safe_points > self.killed_after:
            raise Killed

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        from batchtask.database import make_engine  # noqa: PLC0415

        engine = make_engine(self.database_url)  # for one use: nobody has to close the context
        try:
            yield engine
        finally:
            engine.dispose()

    _unsaved: list[dict[str, Any]] | None = field(default=None, init=False, repr=False)


def run_task(definition: TaskDefinition, context: FakeContext, **parameters: Any) -> Outcome:
    """Run a task as a worker's child would: parameters are checked, a text it returns is its answer.

    Raises:
        InvalidParameters: They do not fit.
        TaskFailure: The task failed as expected; any other error is one of the code.
        CancelledByRequest: It saw the request to stop.
        Killed: It died where the context said.
    """
    arguments = (definition.read_parameters(parameters),) if definition.takes_parameters else ()
    answer = definition.function(context, *arguments)
    return answer if answer is not None and not isinstance(answer, str) else Succeeded(response=answer or "")
