"""How far each folder was read, in `batchtask.mail_folder_state`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from batchtask.tables import mail_folder_state
from worker.tasks.inbox.imap import Status
from worker.tasks.inbox.problems import AccountGone

_LOCK = text("""
SELECT 1 FROM crm7.email_account WHERE email_account_id = :account AND coalesce(account_status, 0) <> 1
   FOR NO KEY UPDATE
""")


@dataclass(frozen=True, kw_only=True)
class FolderState:
    """What was known of a folder when all of it was in our tables; before that only its UIDVALIDITY is."""

    uid_validity: int
    complete: Status | None = None
    since: date | None = None  #: messages from this day on are there

    def is_still(self, now: Status, since: date) -> bool:
        """Tell whether there is nothing to do: the server counts every change, and there was none."""
        covered = self.since is not None and self.since <= since
        return covered and now.modseq is not None and self.complete == now


def lock_account(connection: Connection, account_id: int) -> None:
    """Hold the account until the transaction ends: nobody else writes its messages, and nobody deletes it.

    Raises:
        AccountGone: It was deleted.
    """
    if connection.execute(_LOCK, {"account": account_id}).first() is None:
        raise AccountGone("The account was deleted meanwhile.")


def load_states(connection: Connection, account_id: int) -> dict[int, FolderState]:
    """Return the states of an account's folders by folder."""
    table = mail_folder_state
    rows = connection.execute(select(table).where(table.c.account_id == account_id))
    return {row.email_folder_id: _state(row) for row in rows}


def _state(row: Row[Any]) -> FolderState:
    if row.next_uid is None:
        return FolderState(uid_validity=row.uid_validity)
    complete = Status(uid_validity=row.uid_validity, next_uid=row.next_uid, messages=row.messages, modseq=row.modseq)
    return FolderState(uid_validity=row.uid_validity, complete=complete, since=row.since)


def save_state(connection: Connection, account_id: int, folder_id: int, state: FolderState) -> None:
    done = state.complete
    values = {
        "uid_validity": state.uid_validity,
        "next_uid": done.next_uid if done else None,
        "messages": done.messages if done else None,
        "modseq": done.modseq if done else None,
        "since": state.since,
    }
    statement = insert(mail_folder_state).values(email_folder_id=folder_id, account_id=account_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["email_folder_id"], set_=values))


def forget_state(connection: Connection, folder_id: int) -> None:
    connection.execute(delete(mail_folder_state).where(mail_folder_state.c.email_folder_id == folder_id))
