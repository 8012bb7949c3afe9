"""One account from its server to our tables: first what changed in all folders, then what is new.

In this order a message that was moved is known to be missing before it turns up elsewhere, and its row moves along
with all that the CRM has tied to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

import msgspec
from sqlalchemy import Connection

from batchtask.definitions import TaskContext
from worker.tasks.inbox.changes import Work, examine
from worker.tasks.inbox.folders import Folder, choose, refresh_folders
from worker.tasks.inbox.imap import Session
from worker.tasks.inbox.items import add, adopt, oldest_missing, settle_missing
from worker.tasks.inbox.problems import AccountProblem, CommandRefused, ServerConfused
from worker.tasks.inbox.reading import Message, read_messages, read_texts
from worker.tasks.inbox.states import FolderState, load_states, lock_account, save_state

#: So many messages are fetched and committed at once.
BATCH = 100
#: The server's days begin at another hour than ours.
_A_DAY_OR_TWO = timedelta(days=2)


class Counts(msgspec.Struct, kw_only=True):
    """What was done to rows of messages."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    deleted: int = 0

    def __str__(self) -> str:
        others = ((self.changed, "changed"), (self.moved, "moved"), (self.deleted, "removed"))
        parts = [f"{count} {what}" for count, what in others if count]
        return ", ".join([f"{self.new} new message{'s' if self.new != 1 else ''}", *parts])


@dataclass(kw_only=True)
class Order:
    """What is wanted of every account."""

    folders: Sequence[str]  #: names; empty = the usual ones
    since: date


class Mailbox:
    """One run over one account; see `Books` in `changes` for what it offers.

    Args:
        counts: What is done is added here.
        pause: Called at every safe point; may raise to stop.
        keep: Called at the end of every transaction, within it.
        tell: Told how many messages of how many are there.
        warn: Told of what was left out, one sentence each.
    """

    def __init__(
        self,
        context: TaskContext,
        account_id: int,
        *,
        counts: Counts,
        pause: Callable[[], None],
        keep: Callable[[], None],
        tell: Callable[[int, int], None],
        warn: Callable[[str], None],
    ) -> None:
        self.user = context.owner
        self.account_id = account_id
        self.pause = pause
        self.counts = counts
        self._context = context
        self._keep = keep
        self._tell = tell
        self._warn = warn
        self._done = self._total = 0

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._context.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._context.transaction() as session:
            connection = session.connection()
            lock_account(connection, self.account_id)
            yield connection
            self._keep()

    def update(self, session: Session, order: Order) -> None:
        """Bring the rows to what the server has; every batch is committed, and a later run goes on from there.

        Raises:
            AccountProblem: A folder could not be read; the others were.
        """
        folders, failed = self._folders(session, order.folders)
        with self.reading() as connection:
            states = load_states(connection, self.account_id)
        works: list[Work] = []
        for folder in folders:
            self.pause()
            try:
                if work := examine(session, self, folder, states.get(folder.folder_id), order.since):
                    works.append(work)
                    self.counts.changed += work.changed
            except CommandRefused as problem:
                failed.append(self._failed(folder, problem))
        failed += self._download_all(session, works, order.since)
        if failed:
            raise failed[0]
        with self.writing() as connection:
            self.counts.deleted += settle_missing(connection, self.account_id, self.user)

    def _folders(self, session: Session, names: Sequence[str]) -> tuple[list[Folder], list[AccountProblem]]:
        listed = session.folders()
        with self.writing() as connection:
            found = refresh_folders(connection, self.account_id, listed, self.user)
        for name in found.unusable:
            self._warn(f"the folder {name!r} is left out: its name is too long.")
        chosen, unknown = choose(found.folders, names)
        for name in unknown:
            self._warn(f"there is no folder {name!r}.")
        return chosen, [AccountProblem(f"There is no folder {name!r}.") for name in unknown[:1]]

    def _failed(self, folder: Folder, problem: CommandRefused) -> AccountProblem:
        self._warn(f"the folder {folder.name!r} is left out: {problem}")
        return AccountProblem(f"The folder {folder.name!r} cannot be read. {problem}")

    def _download_all(self, session: Session, works: Sequence[Work], since: date) -> list[AccountProblem]:
        with self.reading() as connection:
            missing, oldest = oldest_missing(connection, self.account_id)
        self._total = sum(len(work.missing) for work in works)
        failed: list[AccountProblem] = []
        for work in works:
            self.pause()
            try:
                self._download(session, work, since, bool(missing), oldest)
            except CommandRefused as problem:
                failed.append(self._failed(work.folder, problem))
        return failed

    def _download(self, session: Session, work: Work, since: date, adopting: bool, oldest: date | None) -> None:
        status = session.examine(work.folder.raw_name)
        if status.uid_validity != work.status.uid_validity:
            raise ServerConfused(f"The folder {work.folder.name!r} was made anew while it was read; try again.")
        for uids in _batches(work.missing):
            self.pause()
            self._tell(self._done, self._total)
            self._take(session, work.folder, uids, adopting)
            self._done += len(uids)
        if adopting and oldest and oldest - _A_DAY_OR_TWO < since:
            self._look_for_moved(session, work, oldest - _A_DAY_OR_TWO)
        state = FolderState(uid_validity=status.uid_validity, complete=work.status, since=since)
        with self.writing() as connection:
            save_state(connection, self.account_id, work.folder.folder_id, state)

    def _take(self, session: Session, folder: Folder, uids: Sequence[int], adopting: bool) -> None:
        messages = read_messages(session, uids, self._warn_of(folder))
        if adopting:
            messages = self._adopt(folder, messages)
        read_texts(session, messages, self._warn_of(folder))
        if messages:
            with self.writing() as connection:
                self.counts.new += add(connection, self.account_id, folder.folder_id, messages, self.user)

    def _look_for_moved(self, session: Session, work: Work, oldest: date) -> None:
        """Look behind the window for messages of which there are rows; others there are not wanted."""
        older = [uid for uid in session.search_since(oldest) if uid >= work.first_new]
        for uids in _batches(sorted(set(older).difference(work.missing), reverse=True)):
            self.pause()
            self._adopt(work.folder, read_messages(session, uids, lambda _: None))

    def _adopt(self, folder: Folder, messages: Sequence[Message]) -> list[Message]:
        with self.writing() as connection:
            remaining = adopt(connection, self.account_id, folder.folder_id, messages, self.user)
        self.counts.moved += len(messages) - len(remaining)
        return remaining

    def _warn_of(self, folder: Folder) -> Callable[[str], None]:
        return lambda text: self._warn(f"{folder.name}: {text}")


def _batches(uids: Sequence[int]) -> Iterator[list[int]]:
    places = iter(uids)
    while some := list(islice(places, BATCH)):
        yield some
