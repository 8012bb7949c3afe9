"""Removing tasks for good: result files, payloads, log lines, the ledger, the stream and the row.

Files go first, the rows after them in one transaction: a crash in between leaves rows whose files are gone, and
whoever removes them again removes the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, select

from batchtask.database import database_errors
from batchtask.errors import StoreError, TaskNotFound
from batchtask.identifiers import TaskId
from batchtask.locks import Lock, advisory_lock
from batchtask.payloads import PayloadStore
from batchtask.store import EventStore
from batchtask.tables import batchtask, effect, event, log_line, task_number
from batchtask.tables_told import told
from batchtask.task_state import fold


class TasksOpen(StoreError):
    """Some of the tasks have not ended; nothing was removed."""

    def __init__(self, task_ids: Sequence[str]) -> None:
        super().__init__(task_ids)
        self.task_ids = tuple(task_ids)

    def __str__(self) -> str:
        return f"not ended, and so not to be removed: {', '.join(self.task_ids)}; stop them first"


class Removed(msgspec.Struct, kw_only=True):
    """What was removed, or would be."""

    tasks: int = 0
    files: int = 0
    bytes: int = 0  #: of result files
    payloads: int = 0


class Removal:
    """Removes tasks. Any number at once.

    Args:
        engine: The database.
        files_dir: Of the result files; each task's lie in a folder named by its id.
        payloads: Where large parameters lie.
        dry_run: Only count.
    """

    def __init__(self, engine: Engine, files_dir: Path, payloads: PayloadStore, *, dry_run: bool = False) -> None:
        self._engine = engine
        self._store = EventStore(engine)
        self._files_dir = files_dir
        self._payloads = payloads
        self._dry_run = dry_run

    def remove_ended(self, task_ids: Collection[TaskId]) -> Removed:
        """Remove tasks that have ended, all or none.

        Their numbers stay given: by them a late copy of a message is known for that of a removed task, so that it
        does not begin anew. After a crash, removing them again goes on.

        Raises:
            TaskNotFound: One of them is not there (any more); nothing was removed.
            TasksOpen: Some have not ended; nothing was removed.
            StoreUnavailable: Not known whether they were removed; do it again.
        """
        removed = Removed()
        # Nobody begins a task anew, or writes on it, between our look at it and its removal.
        with advisory_lock(self._engine, Lock.RETENTION):
            self._require_ended(task_ids)
            self.remove(list(task_ids), removed, keep_numbers=True)
        return removed

    def remove(self, task_ids: Sequence[TaskId], removed: Removed, *, keep_numbers: bool = False) -> None:
        """Remove tasks, whatever state they are in, and add what it was to `removed`; the caller holds the lock.

        Raises:
            StoreUnavailable: The files may be gone; the rest is there, or is gone as well.
        """
        with database_errors(), self._engine.begin() as connection:
            for task_id, reference in _payloads_of(connection, task_ids):
                removed.payloads += self._payloads.remove(task_id, reference, dry_run=self._dry_run)
            for task_id in task_ids:
                self._remove_files(task_id, removed)
            removed.tasks += len(task_ids)
            if not self._dry_run:
                numbers = () if keep_numbers else (task_number,)
                # The row last: while it is there, the task is found again.
                for table in (log_line, effect, told, event, *numbers, batchtask):
                    connection.execute(delete(table).where(table.c.task_id.in_(task_ids)))

    def _require_ended(self, task_ids: Collection[TaskId]) -> None:
        unfinished: list[str] = []
        for task_id, history in self._store.load_many(dict.fromkeys(task_ids, -1)).items():
            state = fold(history)
            if state is None:
                raise TaskNotFound(str(task_id))
            if not state.phase.finished:
                unfinished.append(str(task_id))
        if unfinished:
            raise TasksOpen(unfinished)

    def _remove_files(self, task_id: TaskId, removed: Removed) -> None:
        folder = self._files_dir / str(task_id)
        if not folder.is_dir():
            return
        files = [path for path in folder.rglob("*") if path.is_file()]
        removed.files += len(files)
        removed.bytes += sum(path.stat().st_size for path in files)
        if not self._dry_run:
            shutil.rmtree(folder)


def _payloads_of(connection: Connection, task_ids: Sequence[TaskId]) -> list[tuple[TaskId, Any]]:
    """Where parameters of these tasks lie: of the submission, and of replays that changed them."""
    reference = event.c.data["payload_ref"].astext
    query = select(event.c.task_id, reference).where(event.c.task_id.in_(task_ids), reference.is_not(None)).distinct()
    return [(TaskId(task_id), found) for task_id, found in connection.execute(query)]
