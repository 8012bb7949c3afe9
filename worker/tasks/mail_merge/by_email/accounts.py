"""Whose mail account sends: its address, its server, and the login, whose password is sealed in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from batchtask.definitions import TaskContext, TaskFailure
from batchtask.errors import SecretUnreadable, SettingsError
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.by_email.mail_addresses import MailAddress, read_address

_SUBMISSION_PORT = 587

# Another user's account must not be used, not even by number; one that belongs to nobody is for everybody.
_ACCOUNT = text("""
SELECT a.email_account_id, a.email_address, s.server, s.port, s.auth_type, s.username, s.password
  FROM crm7.email_account a LEFT JOIN crm7.service_auth s ON s.service_auth_id = a.outgoing_auth
 WHERE coalesce(a.account_status, 0) <> 1
   AND CASE WHEN :account_id = 0 THEN a.associate_id = :owner
            ELSE a.email_account_id = :account_id
                 AND (coalesce(a.associate_id, 0) IN (0, :owner) OR :owner = 0) END
 ORDER BY coalesce(a."default", 0) DESC, a.email_account_id LIMIT 1
""")


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account that can send."""

    address: MailAddress
    host: str
    port: int
    username: str  #: "" = the server wants no login
    password: str = field(repr=False)

    @property
    def server(self) -> str:
        return f"{self.host}:{self.port}"


def load_account(connection: Connection, context: TaskContext, parameters: MailMerge) -> Account:
    """Find the account that sends.

    Raises:
        TaskFailure: There is none, it has no server, or its password cannot be read.
    """
    keys = {"account_id": parameters.email_account_id, "owner": context.owner}
    row = connection.execute(_ACCOUNT, keys).mappings().first()
    if row is None and parameters.email_account_id:
        raise TaskFailure(f"There is no mail account {parameters.email_account_id} that you may send with.")
    if row is None:
        raise TaskFailure("You have no mail account: set one up, or name one with email_account_id.")
    address = read_address(row["email_address"] or "")
    if address is None:
        raise TaskFailure(f"The mail account's address {row['email_address']!r} is none: correct the account.")
    if not row["server"]:
        raise TaskFailure(f"The mail account {address} has no server for outgoing mail: complete the account.")
    return Account(
        address=address,
        host=row["server"],
        port=row["port"] or _SUBMISSION_PORT,
        username=row["username"] or "",
        password=_password(context, row, address),
    )


def _password(context: TaskContext, row: Any, address: MailAddress) -> str:
    if not (row["username"] and row["password"]):
        return ""
    if "oauth" in (row["auth_type"] or "").lower():
        raise TaskFailure(
            f"The mail account {address} logs in by OAuth, which cannot send mails here: use a password."
        )
    try:
        return context.sealer.open(row["password"])
    except SecretUnreadable as error:
        raise TaskFailure(f"The password of the mail account {address} cannot be read: enter it anew.") from error
    except SettingsError as error:
        raise TaskFailure("The server cannot read passwords: its administrator has to set up a key.") from error
