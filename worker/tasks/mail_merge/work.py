"""What a merge has done so far, over all its attempts: its drafts, and the checkpoint that says which they are.

Each attempt works in a folder of its own beside the result. The checkpoint names the folders, in order, and how many
bytes of each draft are on disk for certain. An attempt that lost its lease leaves everything where it is: the next
one reads it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import msgspec

from batchtask.definitions import TaskContext
from batchtask.errors import StoreError
from worker.tasks.mail_merge.drafts import Draft, Entry, read_entries, whole_bytes

#: A crash of the machine repeats so much work, one of a process none. A guess: each costs a sync and a commit.
CHECKPOINT_SECONDS = 2.0
_FOLDER, _DRAFT = ".letters-", "draft"


class _Piece(msgspec.Struct):
    """The share of one attempt."""

    folder: str
    bytes: int  #: of its draft that count


class _Kept(msgspec.Struct, kw_only=True):
    """The checkpoint."""

    template: str  #: digest: letters of two templates do not go into one document
    began_at: datetime  #: all letters tell the same time
    pieces: list[_Piece]


@contextmanager
def working(context: TaskContext, made_from: bytes) -> Iterator[Work]:
    """Go on where an earlier attempt stopped, or begin; what it made from another template is not used.

    A kill leaves the folders for the next attempt, and so does a lost lease or database; any other end removes them.

    Raises:
        OSError: The folder of the result cannot be written.
        LeaseLost: Somebody else works on the task by now.
    """
    work = Work(context, blake2b(made_from, digest_size=16).hexdigest())
    try:
        with work.draft:
            yield work
    except StoreError:
        raise
    except Exception:
        work.abandon()
        raise
    work.remove_folders()


class Work:
    """One merge; see `working`."""

    def __init__(self, context: TaskContext, template: str) -> None:
        self._context = context
        self._kept = self._continued(template) or _Kept(
            template=template, began_at=datetime.now().astimezone(), pieces=[]
        )
        self._own = _Piece(_FOLDER + secrets.token_hex(8), 0)
        self._kept.pieces.append(self._own)
        self._save()  # first, so that no folder has letters and is not known
        self.folder = self._path(self._own)  #: for whatever this attempt makes on its way
        self.folder.mkdir(parents=True)
        self.draft = Draft(self.folder / _DRAFT)
        sync(self.folder)
        self._save_at = time.monotonic() + CHECKPOINT_SECONDS

    @property
    def began_at(self) -> datetime:
        """When the first attempt began."""
        return self._kept.began_at

    def add(self, entry: Entry) -> None:
        """Keep what became of one more recipient."""
        self.draft.add(entry)
        if time.monotonic() >= self._save_at:
            self.save()

    def entries(self) -> Iterator[Entry]:
        """Yield what became of every recipient so far, in order."""
        self._own.bytes = self.draft.bytes
        for piece in self._kept.pieces:
            yield from read_entries(self._path(piece) / _DRAFT, piece.bytes)

    def save(self) -> None:
        """Bring the draft to the disk and note that in the checkpoint.

        Raises:
            LeaseLost: Somebody else works on the task by now.
        """
        self.draft.sync()
        self._own.bytes = self.draft.bytes
        self._save()
        self._save_at = time.monotonic() + CHECKPOINT_SECONDS

    def publish(self, document: Path, target: Path) -> None:
        """Give the document its real name, when it is whole and on disk and if the lease is still ours."""
        sync(document)
        self.save()
        document.replace(target)
        sync(target.parent)

    def abandon(self) -> None:
        """Forget everything; the next attempt, if there is one, begins anew."""
        self._context.save_checkpoint({})
        self.remove_folders()

    def remove_folders(self) -> None:
        """Remove the folders of all attempts."""
        for folder in self.folder.parent.glob(f"{_FOLDER}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _continued(self, template: str) -> _Kept | None:
        """What an earlier attempt left, if it can be used."""
        if not self._context.checkpoint:
            return None
        kept = msgspec.convert(self._context.checkpoint, _Kept)
        if kept.template != template:
            self._context.log.warning("The template was changed meanwhile: all letters are written anew.")
            return None
        whole = [whole_bytes(self._path(piece) / _DRAFT) for piece in kept.pieces]
        if any(found < piece.bytes for found, piece in zip(whole, kept.pieces, strict=True)):
            self._context.log.warning("The letters written so far are gone from the folder: all are written anew.")
            return None
        # Whoever wrote it noted the place only now and then. An earlier one was cut where its successor went on.
        kept.pieces[-1].bytes = whole[-1]
        kept.pieces = [piece for piece in kept.pieces if piece.bytes]
        return kept

    def _save(self) -> None:
        self._context.save_checkpoint(msgspec.to_builtins(self._kept))

    def _path(self, piece: _Piece) -> Path:
        return self._context.result_path(piece.folder)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
