"""What an attempt keeps: rows of the business and how far it is, committed together under its fence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import msgspec
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.orm import Session

from batchtask import signal_points
from batchtask.events import CheckpointSaved
from worker.children.fencing import Entry, Fence, patiently

#: Every checkpoint stays in the stream, and whoever claims the task reads the stream: say where, not what.
LARGEST_CHECKPOINT_BYTES = 64 * 1024


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
        kept = plain(data)
        if self._inside:
            self._unsaved = kept
            return
        patiently(lambda: self._save(kept))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See `TaskContext.transaction`. What the caller's rows raise passes through."""
        if self._inside:
            raise InvalidRequestError("A transaction of this task is open already: use its session.")
        self._inside, self._unsaved = True, None
        try:
            with _Block(self._fence.engine, expire_on_commit=False) as session:  # closing rolls back
                yield session
                session.flush()
                if session.in_transaction() or self._unsaved is not None:
                    self._commit(session)
        finally:
            self._inside = False

    def _commit(self, session: Session) -> None:
        event = self._fence.alive() if self._unsaved is None else self._saved(self._unsaved)
        entry = self._fence.append(session.connection(), event)  # last: others wait for our place until we commit
        signal_points.reached("checkpoint.appended")
        try:
            Session.commit(session)
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


class _Block(Session):
    """A session that nothing commits but the end of its block, because that is where the fence is checked."""

    def commit(self) -> None:
        raise InvalidRequestError("The end of the `with` block commits; leave it by an error to roll back.")


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Take a copy of a checkpoint as it will be read again.

    Raises:
        ValueError: It is too large, or does not come back from JSON as it went in.
    """
    try:
        encoded = msgspec.json.encode(data)
        read = msgspec.json.decode(encoded)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{_ONLY_JSON} ({error})") from error
    if not isinstance(read, dict) or read != data or b"\\u0000" in encoded:
        raise ValueError(f"{_ONLY_JSON}.")
    if len(encoded) > LARGEST_CHECKPOINT_BYTES:
        raise ValueError(
            f"A checkpoint may take {LARGEST_CHECKPOINT_BYTES} bytes as JSON, not {len(encoded)}: "
            "keep the data in a table or a file, and in the checkpoint only where it is and how far it goes."
        )
    return read


_ONLY_JSON = (
    "A checkpoint holds text without NUL characters, numbers, true, false, null, lists, and objects with text as keys"
)
