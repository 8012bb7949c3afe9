"""One run of the task: account by account, each on its own; a dead one never stops the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DataError

from batchtask.database import database_errors
from batchtask.definitions import CancelledByRequest, TaskContext, TaskFailure
from batchtask.outcomes import Cancelled, Outcome, Snoozed, Succeeded
from worker.tasks.inbox import Inbox
from worker.tasks.inbox.accounts import Account, load_accounts, record_problem, record_success
from worker.tasks.inbox.imap import open_session
from worker.tasks.inbox.mailbox import Counts, Mailbox, Order
from worker.tasks.inbox.problems import AccountBusy, AccountGone, AccountProblem
from worker.tasks.inbox.sessions import Sessions

#: More lines about one account help nobody.
MOST_WARNINGS = 200
#: An account of which so many attempts, of twenty minutes each, brought nothing makes way for the others.
MOST_IN_VAIN = 3
TOO_SLOW = "The mail server {} is too slow: in an hour not all folders were looked into; unsubscribe from some."
#: What was counted is kept so often; the rows are kept with every batch.
KEEP_SECONDS = 2.0
#: Our locks are told from those of others by their first number.
LOCK_KIND = 724_304
#: An earlier attempt that is frozen or cut off holds its lock until the database notices.
LOCK_PATIENCE_SECONDS, LOCK_POLL_SECONDS = 45.0, 1.0

#: What a mistake of ours raises when mail or a server is stranger than anybody thought.
_MISTAKES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, OSError, DataError)

_TRY = text("SELECT pg_try_advisory_lock(:kind, :account)")
_UNLOCK = text("SELECT pg_advisory_unlock(:kind, :account)")


class Kept(msgspec.Struct, kw_only=True):
    """The checkpoint: the accounts up to one are done, and what came of them."""

    after: int = 0  #: id of the last account that is done
    done: int = 0
    read: int = 0
    busy: int = 0  #: left to another task
    failed: int = 0
    problem: str = ""  #: of the first that failed
    counts: Counts = msgspec.field(default_factory=Counts)
    in_vain: int = 0  #: attempts in a row that ended within one account and brought nothing


class _OutOfTime(Exception):
    """The attempt must end soon; the next one goes on."""


def run(context: TaskContext, parameters: Inbox) -> Outcome:
    """Read the accounts one after the other.

    Raises:
        TaskFailure: Not one could be read, or the wish is not allowed.
    """
    with database_errors():
        with context.connect() as connection:
            accounts = load_accounts(connection, context.owner, parameters.accounts)
        run_ = _Run(context, parameters, accounts)
        try:
            run_.read_all()
        except _OutOfTime:
            run_.put_off()
            return Snoozed(seconds=1, reason=f"{run_.so_far()} It goes on in a moment.")
        except CancelledByRequest:
            return Cancelled(response=f"Stopped. {run_.so_far()}")
        return run_.outcome()


class _Run:
    """The accounts that are left for this attempt, and what came of all."""

    def __init__(self, context: TaskContext, parameters: Inbox, accounts: list[Account]) -> None:
        self._context = context
        self._kept = msgspec.convert(context.checkpoint or {}, Kept)
        self._accounts = [account for account in accounts if account.account_id > self._kept.after]
        since = datetime.now(UTC).date() - timedelta(days=parameters.days_to_download)
        self._order = Order(folders=parameters.folders, since=since)
        self._total = self._kept.done + len(self._accounts)
        self._began_at = self._place()
        self._warnings = 0
        self._mistake: Exception | None = None
        self._keep_at = 0.0

    def read_all(self) -> None:
        for account in self._accounts:
            if self._kept.in_vain < MOST_IN_VAIN:
                self._pause()
                self._read(account)
            else:
                self._keep_problem(account, AccountProblem(TOO_SLOW.format(account.host)))
            self._kept.after = account.account_id
            self._kept.done += 1
            self._kept.in_vain = 0
            self.keep()

    def put_off(self) -> None:
        """Note how far the run is, and whether this attempt was in vain."""
        self._kept.in_vain = self._kept.in_vain + 1 if self._place() == self._began_at else 0
        self.keep()

    def keep(self) -> None:
        """Save how far the run is; with the rows, inside a transaction."""
        self._context.save_checkpoint(msgspec.to_builtins(self._kept))
        self._keep_at = time.monotonic() + KEEP_SECONDS

    def so_far(self) -> str:
        """Say in a sentence or two what was done and what was left out."""
        kept = self._kept
        said = f"{self._of_all(kept.read)} read: {kept.counts}."
        if kept.busy:
            said += f" {self._of_all(kept.busy)} left out: another task reads it now."
        if kept.failed:
            said += f" {self._of_all(kept.failed)} not read. {kept.problem}"
        return said

    def outcome(self) -> Outcome:
        """Say how it went.

        Raises:
            TaskFailure: Not one account could be read.
            Exception: A mistake of ours.
        """
        if self._mistake:  # the others were read; now its traceback goes to the operator
            raise self._mistake
        kept = self._kept
        if not self._total:
            return Succeeded(response="There is no mail account to read.")
        if kept.failed == self._total:
            others = f" The other {kept.failed - 1} could not be read either." if kept.failed > 1 else ""
            raise TaskFailure(kept.problem + others)
        return Succeeded(response=self.so_far())

    def _place(self) -> tuple[int, Counts]:
        return self._kept.after, copy(self._kept.counts)

    def _of_all(self, count: int) -> str:
        return f"{count} of {self._total} mail account{'s' if self._total != 1 else ''}"

    def _read(self, account: Account) -> None:
        """Read one account, and keep how that went with it."""
        self._warnings = 0
        name = account.name
        try:
            self._update(account, name)
        except AccountBusy:
            self._kept.busy += 1
            self._context.log.warning(f"{name}: left out, because another task reads it at this moment")
        except AccountGone as problem:
            self._note(f"{name}: {problem}")
        except AccountProblem as problem:
            self._keep_problem(account, problem)
        except _MISTAKES as mistake:
            self._mistake = self._mistake or mistake
            self._keep_problem(account, AccountProblem("It cannot be read: something in it was not foreseen."))
        else:
            self._kept.read += 1
            with self._context.transaction() as session:
                record_success(session.connection(), account.account_id, self._context.owner)

    def _keep_problem(self, account: Account, problem: AccountProblem) -> None:
        self._note(f"{account.name}: {problem}")
        with self._context.transaction() as session:
            record_problem(session.connection(), account.account_id, self._context.owner, problem)

    def _note(self, problem: str) -> None:
        self._context.log.warning(problem)
        self._kept.failed += 1
        self._kept.problem = self._kept.problem or problem

    def _update(self, account: Account, name: str) -> None:
        context = self._context
        context.progress(100 * self._kept.done / self._total, f"Inbox of {name}: looking for new mail")
        mailbox = Mailbox(
            context,
            account.account_id,
            counts=self._kept.counts,
            pause=self._pause,
            keep=self._keep_now_and_then,
            tell=lambda done, total: self._tell(name, done, total),
            warn=lambda line: self._warn(name, line),
        )
        login = account.login(context.sealer)
        with self._alone(account.account_id), Sessions(lambda: open_session(login)) as sessions:
            mailbox.update(sessions, self._order)

    def _pause(self) -> None:
        self._context.check_cancelled()
        if self._context.time_is_short:
            raise _OutOfTime

    def _keep_now_and_then(self) -> None:
        if time.monotonic() >= self._keep_at:
            self.keep()

    def _tell(self, name: str, done: int, total: int) -> None:
        share = self._kept.done + done / max(total, 1)
        self._context.progress(100 * share / self._total, f"Inbox of {name}: {done} of {total}")

    def _warn(self, name: str, line: str) -> None:
        self._warnings += 1
        if self._warnings <= MOST_WARNINGS:
            self._context.log.warning(f"{name}: {line}")
        elif self._warnings == MOST_WARNINGS + 1:
            self._context.log.warning(f"{name}: further messages of which something cannot be read are not listed")

    @contextmanager
    def _alone(self, account_id: int) -> Iterator[None]:
        """Let no two tasks read one account: each would fetch what the other fetches, and store nothing.

        Raises:
            AccountBusy: Another task reads it.
        """
        numbers = {"kind": LOCK_KIND, "account": account_id}
        with self._context.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")  # no transaction stands open meanwhile
            eventually = time.monotonic() + (LOCK_PATIENCE_SECONDS if self._context.attempt > 1 else 0)
            while not connection.execute(_TRY, numbers).scalar_one():
                if time.monotonic() >= eventually:
                    raise AccountBusy("Another task reads the account at this moment.")
                self._pause()
                time.sleep(LOCK_POLL_SECONDS)
            try:
                yield
            finally:
                connection.execute(_UNLOCK, numbers)
