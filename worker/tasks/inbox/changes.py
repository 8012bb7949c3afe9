"""What happened in a folder to messages that we have: their flags, and whether they are still there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Protocol

from sqlalchemy import Connection

from worker.tasks.inbox.folders import Folder
from worker.tasks.inbox.imap import Session, Status
from worker.tasks.inbox.imap.uids import within
from worker.tasks.inbox.items import known_uids, miss, miss_all, set_flags
from worker.tasks.inbox.reading import flag_bits
from worker.tasks.inbox.states import FolderState, save_state

#: Flags are asked for and written by so many messages.
FLAGS_AT_ONCE = 2000


class Books(Protocol):
    """Where the rows of one account are kept; see `mailbox.Mailbox`."""

    user: int
    account_id: int

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a connection for reading."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """Open a transaction; nobody else writes to the account meanwhile, and it is still there."""
        ...

    def pause(self) -> None:
        """Stop here if somebody wants that."""


@dataclass(kw_only=True)
class Work:
    """A folder in which something is left to do."""

    folder: Folder
    status: Status  #: when we looked
    missing: list[int]  #: UIDs in the window of which there is no row; the newest come first
    first_new: int  #: UIDs from here on were not there when the folder was complete
    changed: int = 0  #: rows that got other flags


def examine(session: Session, books: Books, folder: Folder, state: FolderState | None, since: date) -> Work | None:
    """Bring the rows of a folder to what the server says, and find out which are missing; None = nothing is new.

    A repetition does no harm. Rows of messages that are not there any more are kept without a UID, for they may turn
    up in another folder.
    """
    if state and state.is_still(session.status(folder.raw_name), since):
        return None
    status = session.examine(folder.raw_name)
    if state is None or state.uid_validity != status.uid_validity:
        state = _begin(books, folder, status)
    with books.reading() as connection:
        known = known_uids(connection, folder.folder_id)
    work = Work(folder=folder, status=status, missing=[], first_new=0)
    if known:
        work.changed = _refresh(session, books, folder, state, known)
    work.missing = sorted(set(session.search_since(since)).difference(known), reverse=True)
    work.first_new = state.complete.next_uid if state.complete else 0
    return work


def _begin(books: Books, folder: Folder, status: Status) -> FolderState:
    """Note the UIDVALIDITY under which rows will get their UIDs; those of another one mean nothing now."""
    state = FolderState(uid_validity=status.uid_validity)
    with books.writing() as connection:
        miss_all(connection, folder.folder_id)
        save_state(connection, books.account_id, folder.folder_id, state)
    return state


def _refresh(session: Session, books: Books, folder: Folder, state: FolderState, known: list[int]) -> int:
    counted = state.complete.modseq if state.complete else None
    if counted is None or not session.counts_changes:
        return _compare_all(session, books, folder, known)
    changes = session.changes_since(counted)
    changed = sum(_write_flags(books, folder, some) for some in _chunks(_wanted(changes.flags, set(known))))
    if session.tells_vanished:
        gone = within(known, changes.vanished)
    else:
        gone = set(known).difference(session.search(b"UID %d:%d" % (known[0], known[-1])))
    _miss(books, folder, gone)
    return changed


def _compare_all(session: Session, books: Books, folder: Folder, known: list[int]) -> int:
    """Ask for the flags of all that we have: for a server that does not count changes."""
    changed = 0
    places = iter(known)
    while some := list(islice(places, FLAGS_AT_ONCE)):
        books.pause()
        found = dict(session.flags_between(some[0], some[-1]))
        wanted = {uid: flag_bits(found[uid]) for uid in some if uid in found}
        changed += _write_flags(books, folder, wanted)
        _miss(books, folder, set(some) - set(found))
    return changed


def _wanted(flags: Iterable[tuple[int, frozenset[str]]], known: set[int]) -> Iterator[tuple[int, int]]:
    return ((uid, flag_bits(names)) for uid, names in flags if uid in known)


def _chunks(flags: Iterator[tuple[int, int]]) -> Iterator[dict[int, int]]:
    while some := dict(islice(flags, FLAGS_AT_ONCE)):
        yield some


def _write_flags(books: Books, folder: Folder, flags: dict[int, int]) -> int:
    if not flags:
        return 0
    with books.writing() as connection:
        return set_flags(connection, folder.folder_id, flags, books.user)


def _miss(books: Books, folder: Folder, gone: set[int]) -> None:
    if gone:
        with books.writing() as connection:
            miss(connection, folder.folder_id, gone)
