"""What an attempt keeps: rows of the business and how far it is, committed together under its fence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from batchtask import signal_points
from batchtask.blocks import Block, refuse_nested
from batchtask.database import patiently
from batchtask.events import CheckpointSaved
from batchtask.keeping import kept_checkpoint
from worker.children.fencing import Entry, Fence


class Saving:
    """The checkpoint of one attempt, and the transactions that save it.

    Args:
        fence: Under which everything is committed.
        checkpoint: What an earlier attempt kept.
    """

    def __init__(self, fence: Fence, checkpoint: dict[str, Any] | None) -> None:
        self._fence = fence
        self._inside = False  #: a transaction is open
        self._unsaved: dict[str, Any] | None = None  #: to be saved with it
        self._checkpoint = checkpoint

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """What was saved last; a copy, which the caller may change."""
        return deepcopy(self._checkpoint)

    def save(self, data: Mapping[str, Any]) -> None:
        """See `TaskContext.save_checkpoint`. A repetition does no harm."""
        kept = kept_checkpoint(data)
        if self._inside:
            self._unsaved = kept
            return
        patiently(lambda: self._save(kept))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See `TaskContext.transaction`. What the caller's rows raise passes through."""
        refuse_nested(self._inside)
        self._inside, self._unsaved = True, None
        try:
            with Block(self._fence.engine, expire_on_commit=False) as session:  # closing rolls back
                yield session
                session.flush()
                if session.in_transaction() or self._unsaved is not None:
                    self._commit(session)
        finally:
            self._inside = False

    def _commit(self, session: Block) -> None:
        event = self._fence.alive() if self._unsaved is None else self._saved(self._unsaved)
        entry = self._fence.append(session.connection(), event)  # last: others wait for our place until we commit
        signal_points.reached("checkpoint.appended")
        try:
            session.commit_now()
        except DBAPIError as error:
            if not error.connection_invalidated or not self._fence.stands(entry):
                raise
        self._done(entry)

    def _save(self, data: dict[str, Any]) -> None:
        with self._fence.engine.begin() as connection:
            entry = self._fence.append(connection, self._saved(data))
        self._done(entry)

    def _saved(self, data: dict[str, Any]) -> CheckpointSaved:
        return CheckpointSaved(fence=self._fence.number, data=data)

    def _done(self, entry: Entry) -> None:
        signal_points.reached("checkpoint.committed")
        self._fence.committed(entry)
        if isinstance(entry.event.body, CheckpointSaved):
            self._checkpoint = entry.event.body.data
