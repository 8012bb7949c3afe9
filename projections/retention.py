"""Removing what finished long ago: result files, payloads, log lines, the ledger, the stream and the row.

Files go first, the rows after them in one transaction: a crash in between leaves rows whose files are gone, and the
next pass removes those. A task whose row is behind its stream, or that was begun anew, is left alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, func, select

from batchtask.database import database_errors
from batchtask.identifiers import TaskId
from batchtask.locks import Lock, advisory_lock
from batchtask.payloads import PayloadStore
from batchtask.tables import batchtask, effect, event, log_line, task_number
from batchtask.tables_told import told
from projections.rows import ENDED

#: Tasks in one transaction. A guess: few enough that nobody waits for it.
PAGE = 500


class Pruned(msgspec.Struct, kw_only=True):
    """What was removed, or would be."""

    tasks: int = 0
    files: int = 0
    bytes: int = 0  #: of result files
    payloads: int = 0


class Retention:
    """Removes tasks for good. Any number at once: each waits for the other.

    Args:
        engine: The database.
        files_dir: Of the result files; each task's lie in a folder named by its id.
        payloads: Where large parameters lie.
        dry_run: Only count.
    """

    def __init__(self, engine: Engine, files_dir: Path, payloads: PayloadStore, *, dry_run: bool = False) -> None:
        self._engine = engine
        self._files_dir = files_dir
        self._payloads = payloads
        self._dry_run = dry_run

    def prune(self, before: datetime, tell: Callable[[Pruned], None] = lambda _: None) -> Pruned:
        """Remove every task that ended before a time, and to which nothing happened since.

        Repeating it goes on where it was stopped.

        Args:
            before: Aware; compared with the row's `updated`.
            tell: Called after each page with what was removed so far.

        Raises:
            StoreUnavailable: What is removed is removed; run it again.
        """
        pruned = Pruned()
        after = 0
        with advisory_lock(self._engine, Lock.RETENTION):
            while page := self._page(before, after):
                after = page[-1][0]
                self._remove([task_id for _, task_id in page], pruned)
                tell(pruned)
        return pruned

    def _page(self, before: datetime, after: int) -> list[tuple[int, TaskId]]:
        last = select(func.max(event.c.version)).where(event.c.task_id == batchtask.c.task_id).scalar_subquery()
        query = (
            select(batchtask.c.batchtask_id, batchtask.c.task_id)
            .where(batchtask.c.state.in_(ENDED), batchtask.c.updated < before, batchtask.c.batchtask_id > after)
            .where(batchtask.c.version == last, batchtask.c.due_at.is_(None))
            .order_by(batchtask.c.batchtask_id)
            .limit(PAGE)
        )
        with database_errors(), self._engine.connect() as connection:
            return [(row.batchtask_id, TaskId(row.task_id)) for row in connection.execute(query)]

    def _remove(self, task_ids: Sequence[TaskId], pruned: Pruned) -> None:
        with database_errors(), self._engine.begin() as connection:
            for task_id, reference in _payloads_of(connection, task_ids):
                pruned.payloads += self._payloads.remove(task_id, reference, dry_run=self._dry_run)
            for task_id in task_ids:
                self._remove_files(task_id, pruned)
            pruned.tasks += len(task_ids)
            if not self._dry_run:
                # The row last: while it is there, the task is found again.
                for table in (log_line, effect, told, event, task_number, batchtask):
                    connection.execute(delete(table).where(table.c.task_id.in_(task_ids)))

    def _remove_files(self, task_id: TaskId, pruned: Pruned) -> None:
        folder = self._files_dir / str(task_id)
        if not folder.is_dir():
            return
        files = [path for path in folder.rglob("*") if path.is_file()]
        pruned.files += len(files)
        pruned.bytes += sum(path.stat().st_size for path in files)
        if not self._dry_run:
            shutil.rmtree(folder)


def _payloads_of(connection: Connection, task_ids: Sequence[TaskId]) -> list[tuple[TaskId, Any]]:
    """Where parameters of these tasks lie: of the submission, and of replays that changed them."""
    reference = event.c.data["payload_ref"].astext
    query = select(event.c.task_id, reference).where(event.c.task_id.in_(task_ids), reference.is_not(None)).distinct()
    return [(TaskId(task_id), found) for task_id, found in connection.execute(query)]
