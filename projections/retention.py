"""Removing what finished long ago, a page at a time. What goes with a task: `batchtask/removal.py`.

A task whose row is behind its stream, or that was begun anew, is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, func, select

from batchtask.database import database_errors
from batchtask.identifiers import TaskId
from batchtask.locks import Lock, advisory_lock
from batchtask.payloads import PayloadStore
from batchtask.removal import Removal, Removed
from batchtask.tables import batchtask, event
from projections.rows import ENDED

#: Tasks in one transaction. A guess: few enough that nobody waits for it.
PAGE = 500


class Retention:
    """Removes tasks for good. Any number at once: each waits for the other's page.

    Args:
        engine: The database.
        files_dir: Of the result files; each task's lie in a folder named by its id.
        payloads: Where large parameters lie.
        dry_run: Only count.
    """

    def __init__(self, engine: Engine, files_dir: Path, payloads: PayloadStore, *, dry_run: bool = False) -> None:
        self._engine = engine
        self._removal = Removal(engine, files_dir, payloads, dry_run=dry_run)

    def prune(self, before: datetime, tell: Callable[[Removed], None] = lambda _: None) -> Removed:
        """Remove every task that ended before a time, and to which nothing happened since.

        Repeating it goes on where it was stopped.

        Args:
            before: Aware; compared with the row's `updated`.
            tell: Called after each page with what was removed so far.

        Raises:
            StoreUnavailable: What is removed is removed; run it again.
        """
        removed = Removed()
        after: int | None = 0
        while after is not None:
            # For each page anew: whoever replays, amends or deletes a task meanwhile does not wait for all of it.
            with advisory_lock(self._engine, Lock.RETENTION):
                after = self._prune_page(before, after, removed)
            if after is not None:
                tell(removed)
        return removed

    def _prune_page(self, before: datetime, after: int, removed: Removed) -> int | None:
        """Remove a page and return its last number; None when there is none."""
        page = self._page(before, after)
        if not page:
            return None
        self._removal.remove([task_id for _, task_id in page], removed)
        return page[-1][0]

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
