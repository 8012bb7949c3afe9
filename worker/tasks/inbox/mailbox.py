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
from sqlalchemy.exc import DataError

from batchtask.definitions import TaskContext
from worker.tasks.inbox.changes import Work, examine
from worker.tasks.inbox.folders import Folder, choose, refresh_folders
from worker.tasks.inbox.items import add, adopt, hide_missing, oldest_missing, settle_missing
from worker.tasks.inbox.problems import AccountProblem, CommandRefused, ServerConfused, ServerUnreachable
from worker.tasks.inbox.reading import MOST_MODEST, Message, read_messages, read_texts
from worker.tasks.inbox.sessions import Sessions
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
        self._sessions: Sessions

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

    def update(self, sessions: Sessions, order: Order) -> None:
        """Bring the rows to what the server has; every batch is committed, and a later run goes on from there.

        Raises:
            AccountProblem: A folder could not be read; the others were.
        """
        self._sessions = sessions
        folders, failed = self._folders(order.folders)
        works = self._examine_all(folders, order.since, failed)
        self._download_all(works, order.since, failed)
        if failed:
            raise failed[0]
        with self.writing() as connection:
            if order.folders:  # the others were not looked into: what is missing may be there
                hide_missing(connection, self.account_id, self.user)
            else:
                self.counts.deleted += settle_missing(connection, self.account_id, self.user)

    def _examine_all(self, folders: Sequence[Folder], since: date, failed: list[AccountProblem]) -> list[Work]:
        with self.reading() as connection:
            states = load_states(connection, self.account_id)
        works: list[Work] = []
        for folder in folders:
            self.pause()
            with self._each(folder, failed):
                if work := examine(self._sessions.current, self, folder, states.get(folder.folder_id), since):
                    self.counts.changed += work.changed
                    works.append(work)
        return works

    @contextmanager
    def _each(self, folder: Folder, failed: list[AccountProblem]) -> Iterator[None]:
        """Let a folder that cannot be read not stop the others, though the server hangs up over it.

        Raises:
            AccountProblem: Nobody answers any more.
        """
        try:
            yield
        except CommandRefused as problem:
            failed.append(self._failed(folder, problem))
        except (ServerUnreachable, ServerConfused) as problem:
            self._sessions.renew(problem)
            failed.append(self._failed(folder, problem))

    def _folders(self, names: Sequence[str]) -> tuple[list[Folder], list[AccountProblem]]:
        listed = self._sessions.current.folders()
        with self.writing() as connection:
            found = refresh_folders(connection, self.account_id, listed, self.user)
        for name in found.unusable:
            self._warn(f"the folder {name!r} is left out: its name is too long, or one that nobody can write.")
        chosen, unknown = choose(found.folders, names)
        for name in unknown:
            self._warn(f"there is no folder {name!r}.")
        return chosen, [AccountProblem(f"There is no folder {name!r}.") for name in unknown[:1]]

    def _failed(self, folder: Folder, problem: AccountProblem) -> AccountProblem:
        self._warn(f"the folder {folder.name!r} is left out: {problem}")
        return AccountProblem(f"The folder {folder.name!r} cannot be read. {problem}")

    def _download_all(self, works: Sequence[Work], since: date, failed: list[AccountProblem]) -> None:
        with self.reading() as connection:
            missing, oldest = oldest_missing(connection, self.account_id)
        self._total = sum(len(work.missing) for work in works)
        for work in works:
            self.pause()
            with self._each(work.folder, failed):
                self._download(work, since, bool(missing), oldest)

    def _download(self, work: Work, since: date, adopting: bool, oldest: date | None) -> None:
        self._open(work)
        for uids in _batches(work.missing):
            self.pause()
            self._tell(self._done, self._total)
            self._take(work, uids, adopting)
            self._done += len(uids)
        if adopting and oldest and oldest - _A_DAY_OR_TWO < since:
            self._look_for_moved(work, oldest - _A_DAY_OR_TWO)
        state = FolderState(uid_validity=work.status.uid_validity, complete=work.status, since=since)
        with self.writing() as connection:
            save_state(connection, self.account_id, work.folder.folder_id, state)

    def _open(self, work: Work) -> None:
        status = self._sessions.current.examine(work.folder.raw_name)
        if status.uid_validity != work.status.uid_validity:
            raise ServerConfused(f"The folder {work.folder.name!r} was made anew while it was read; try again.")

    def _take(self, work: Work, uids: Sequence[int], adopting: bool, modesty: int = 0) -> None:
        """Read messages and store them; those over which the server hangs up are read one by one, with fewer wishes.

        Raises:
            AccountProblem: Nobody answers any more.
        """
        try:
            self._take_at_once(work.folder, uids, adopting, modesty)
        except CommandRefused:
            raise  # the connection is good
        except (ServerUnreachable, ServerConfused) as problem:
            self._sessions.renew(problem)
            self._open(work)
            if len(uids) > 1:
                for uid in uids:
                    self.pause()
                    self._take(work, [uid], adopting)
            elif modesty < MOST_MODEST:
                self._take(work, uids, adopting, modesty + 1)
            else:
                self._warn_of(work.folder)(f"message {uids[0]} is left out: {problem}")

    def _take_at_once(self, folder: Folder, uids: Sequence[int], adopting: bool, modesty: int) -> None:
        session = self._sessions.current
        messages = read_messages(session, uids, self._warn_of(folder), modesty)
        if adopting:
            messages = self._adopt(folder, messages)
        read_texts(session, messages, self._warn_of(folder))
        self._store(folder, messages)

    def _store(self, folder: Folder, messages: Sequence[Message]) -> None:
        if not messages:
            return
        try:
            with self.writing() as connection:
                new = add(connection, self.account_id, folder.folder_id, messages, self.user)
        except DataError as error:
            if len(messages) == 1:
                why = str(error.orig).partition("\n")[0]
                self._warn_of(folder)(f"{messages[0]} is left out: the database refuses it ({why}).")
                return
            for message in messages:
                self._store(folder, [message])
        else:
            self.counts.new += new

    def _look_for_moved(self, work: Work, oldest: date) -> None:
        """Look behind the window for messages of which there are rows; others there are not wanted."""
        older = [uid for uid in self._sessions.current.search_since(oldest) if uid >= work.first_new]
        for uids in _batches(sorted(set(older).difference(work.missing), reverse=True)):
            self.pause()
            self._adopt(work.folder, read_messages(self._sessions.current, uids, lambda _: None))

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
