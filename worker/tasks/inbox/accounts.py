"""Mail accounts of the CRM: which are to be read, how to log in to them, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, text

from batchtask.crm7.administrators import is_administrator
from batchtask.definitions import TaskFailure
from batchtask.errors import SecretUnreadable, SettingsError
from batchtask.sealing import Sealer
from worker.tasks.inbox.imap import Login
from worker.tasks.inbox.imap.opening import IMAPS_PORT
from worker.tasks.inbox.problems import AccountProblem, LoginRefused
from worker.tasks.inbox.texts import cut

FAILING, FAILED, OK = 2, 3, 4
#: A provider may lock an account that tries a wrong password again and again.
MOST_REFUSED_LOGINS = 3
REASON_LENGTH = 254
SYSTEM = 0  #: the owner of tasks that no user submitted

_LOAD = text(f"""
SELECT a.email_account_id, a.email_address, s.server, s.port, s.auth_type, s.username, s.password
  FROM crm7.email_account a
  LEFT JOIN crm7.service_auth s ON s.service_auth_id = a.incoming_auth
 WHERE coalesce(a.account_status, 0) <> 1
   AND CASE WHEN :all_ready THEN coalesce(a.account_status, 0) <> {FAILED} AND coalesce(a.simple_mode, 0) = 0
                AND NOT EXISTS (SELECT FROM crm7.associate left_us
                                 WHERE left_us.associate_id = a.associate_id AND left_us.deleted <> 0)
            WHEN :own THEN a.associate_id = :user
            ELSE a.email_account_id = ANY(:ids) AND (:any_owner OR a.associate_id = :user) END
 ORDER BY a.email_account_id
""")  # noqa: S608 - a constant of ours
_SUCCEEDED = text(f"""
UPDATE crm7.email_account
   SET account_status = {OK}, error_count = 0, error_reason = '', last_fetch = now(), updated = now(),
       updated_associate_id = :user, updatedcount = (updatedcount + 1) % 65536
 WHERE email_account_id = :account
""")  # noqa: S608
# Only refusals in a row count towards giving up: a server that was away all night says nothing of the password.
_FAILED = text(f"""
UPDATE crm7.email_account
   SET account_status = CASE WHEN :refused AND error_reason = :reason
                                  AND coalesce(error_count, 0) + 1 >= {MOST_REFUSED_LOGINS}
                             THEN {FAILED} ELSE {FAILING} END,
       error_count = CASE WHEN :refused AND coalesce(error_reason, '') <> :reason
                          THEN 1 ELSE coalesce(error_count, 0) + 1 END,
       error_reason = :reason, updated = now(),
       updated_associate_id = :user, updatedcount = (updatedcount + 1) % 65536
 WHERE email_account_id = :account
""")  # noqa: S608
_TOKENS = {"xoauth2", "oauth", "oauth2", "bearer"}


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account, and what its login says."""

    account_id: int
    address: str
    host: str
    port: int
    auth_type: str
    username: str
    sealed: str

    @property
    def name(self) -> str:
        """Name it for its user."""
        return self.address or f"account {self.account_id}"

    def login(self, sealer: Sealer) -> Login:
        """Unseal the password.

        Raises:
            AccountProblem: The account is not complete, or its password cannot be read.
            TaskFailure: No password can be read: there is no key.
        """
        username = self.username or self.address
        for what, value in (("mail server", self.host), ("user name", username), ("password", self.sealed)):
            if not value:
                raise AccountProblem(f"The account has no {what}: enter it in the CRM.")
        try:
            secret = sealer.open(self.sealed)
        except SecretUnreadable as error:
            # No refusal: the server was not asked, and an administrator may find the key again.
            raise AccountProblem("The stored password cannot be read: enter it anew.") from error
        except SettingsError as error:
            raise TaskFailure("The server cannot read passwords: its administrator has to set up a key.") from error
        return Login(
            host=self.host,
            port=self.port or IMAPS_PORT,
            username=username,
            secret=secret,
            with_token=self.auth_type.lower() in _TOKENS,
        )


def load_accounts(connection: Connection, owner: int, account_ids: Sequence[int]) -> list[Account]:
    """Find the accounts to read, in the order of their ids.

    Args:
        connection: To the CRM.
        owner: Who asks; 0 is the system.
        account_ids: The wanted ones; empty = all of the owner, and for the system all that are ready: those whose
            password was refused too often wait until their user tries again.

    Raises:
        TaskFailure: One of the wanted accounts is not there, or is somebody else's.
    """
    values = {
        "all_ready": owner == SYSTEM and not account_ids,
        "own": owner != SYSTEM and not account_ids,
        "any_owner": owner == SYSTEM or (bool(account_ids) and is_administrator(connection, owner)),
        "ids": list(account_ids),
        "user": owner,
    }
    accounts = [_account(row) for row in connection.execute(_LOAD, values).mappings()]
    missing = sorted(set(account_ids) - {account.account_id for account in accounts})
    if missing:
        numbers = ", ".join(map(str, missing))
        raise TaskFailure(f"Mail account {numbers} is not there or is not yours: choose accounts of your own.")
    return accounts


def _account(row: RowMapping) -> Account:
    return Account(
        account_id=row["email_account_id"],
        address=row["email_address"] or "",
        host=(row["server"] or "").strip(),
        port=row["port"] or 0,
        auth_type=row["auth_type"] or "",
        username=row["username"] or "",
        sealed=row["password"] or "",
    )


def record_success(connection: Connection, account_id: int, user: int) -> None:
    connection.execute(_SUCCEEDED, {"account": account_id, "user": user})


def record_problem(connection: Connection, account_id: int, user: int, problem: AccountProblem) -> None:
    """Keep why the account could not be read, and how often in a row."""
    values = {"reason": cut(str(problem), REASON_LENGTH), "refused": isinstance(problem, LoginRefused)}
    connection.execute(_FAILED, {"account": account_id, "user": user, **values})
