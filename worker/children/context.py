"""The `TaskContext` that task code gets: progress, log lines and cancel wishes go over the socket."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchtask.definitions import CancelledByRequest
from batchtask.identifiers import TaskId
from batchtask.keeping import kept_line, kept_progress, result_file
from batchtask.sealing import Sealer
from worker.children.frames import Appended, FromChild, LogLine, Progress, Run
from worker.children.reporter import Reporter

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import Session

    from worker.children.effects import Effects
    from worker.children.fencing import Fence
    from worker.children.saving import Saving


class ChildContext:
    """See `batchtask.definitions.TaskContext`. Valid while its task runs."""

    def __init__(
        self,
        run: Run,
        database_url: str,
        files_dir: Path,
        send: Callable[[FromChild], None],
        *,
        archive_dir: Path = Path(),
        sealer: Sealer | None = None,
        cancel_wanted: Callable[[], bool],
        time_is_short: Callable[[], bool] = lambda: False,
    ) -> None:
        self._run = run
        self._database_url = database_url
        self._files_dir = files_dir
        self._cancel_wanted = cancel_wanted
        self._time_is_short = time_is_short
        self._send = send
        self.archive_dir = archive_dir
        self.sealer = sealer or Sealer("")
        self._reporter = Reporter(send)
        self._handler = _SendingHandler(send)
        self._log = _logger_of_one_run(f"batchtask.task.{run.name}")

    def __enter__(self) -> ChildContext:
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(logging.INFO)
        return self

    def __exit__(self, *_: object) -> None:
        self._log.disabled = True  # a thread that the task left behind may have it; another task may run by then
        logging.getLogger().removeHandler(self._handler)
        self._reporter.close()

    @property
    def task_id(self) -> TaskId:
        return TaskId(self._run.task_id)

    @property
    def attempt(self) -> int:
        return self._run.attempt

    @property
    def owner(self) -> int:
        return self._run.owner

    @property
    def traceparent(self) -> str | None:
        return self._run.traceparent

    @property
    def log(self) -> logging.Logger:
        return self._log

    @property
    def cancel_requested(self) -> bool:
        return self._cancel_wanted()

    def check_cancelled(self) -> None:
        if self._cancel_wanted():
            raise CancelledByRequest

    @property
    def time_is_short(self) -> bool:
        return self._time_is_short()

    def progress(self, percent: float, text: str = "") -> None:
        self._reporter.report(Progress(*kept_progress(percent, text)))

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._database_url).connect() as connection:
            yield connection

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        return self._saving.checkpoint

    def save_checkpoint(self, data: Mapping[str, Any]) -> None:
        self._saving.save(data)

    def transaction(self) -> AbstractContextManager[Session]:
        return self._saving.transaction()

    def effect(
        self,
        key: str,
        perform: Callable[[], str | None],
        *,
        ask: Callable[[], str | None] | None = None,
        not_done: tuple[type[Exception], ...] = (),
    ) -> str:
        return self._effects.do(key, perform, ask, not_done)

    def result_path(self, name: str) -> Path:
        return result_file(self._files_dir / str(self.task_id), name)

    # Most tasks need no database, and what speaks to it takes a moment to load.

    @cached_property
    def _fence(self) -> Fence:
        from worker.children.fencing import Fence  # noqa: PLC0415

        return Fence(_engine(self._database_url), self.task_id, self._run.fence, self._tell_appended)

    @cached_property
    def _saving(self) -> Saving:
        from worker.children.saving import Saving  # noqa: PLC0415

        return Saving(self._fence, self._run.checkpoint)

    @cached_property
    def _effects(self) -> Effects:
        from worker.children.effects import Effects  # noqa: PLC0415

        return Effects(self._fence)

    def _tell_appended(self, version: int) -> None:
        self._send(Appended(version))


@cache
def _engine(database_url: str) -> Engine:
    """One engine for the life of the child: a warm connection is worth more than a fresh one."""
    from batchtask.database import make_engine  # noqa: PLC0415 - most tasks need no database

    # Task code may take its time within a transaction; `fencing` sees to the moments when others wait for it.
    return make_engine(database_url, pool_size=2, pre_ping=True, idle_seconds=None)


def _logger_of_one_run(name: str) -> logging.Logger:
    """A logger that does what the one of this name does, and can be silenced without it."""
    log = logging.Logger(name)
    log.parent = logging.getLogger(name)
    return log


class _SendingHandler(logging.Handler):
    """Sends every line that task code or its libraries log, at info and above, to the worker."""

    def __init__(self, send: Callable[[FromChild], None]) -> None:
        super().__init__(logging.INFO)
        self._send_frame = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send_frame(LogLine(record.created, record.levelno, kept_line(self.format(record))))
