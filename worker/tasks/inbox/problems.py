"""What can stop the reading of one account, cut by what follows from it; each text is one sentence for the user."""

from __future__ import annotations


class AccountProblem(Exception):
    """One account cannot be read now; the others can."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


class ServerUnreachable(AccountProblem):
    """No connection, or it broke: the next run may do better."""


class ServerSilent(ServerUnreachable):
    """It is connected, and says nothing: to find that out once more costs as long again."""


class ServerNotTrusted(AccountProblem):
    """The connection is not safe, so no password was sent."""


class LoginRefused(AccountProblem):
    """Trying again with the same password is no use, and may lock the account at its provider."""


class ServerConfused(AccountProblem):
    """The server answers what is no IMAP, or refuses what it must be able to do."""


class CommandRefused(ServerConfused):
    """The server said NO or BAD to one command; the connection can be used further.

    Args:
        text: For the user.
        said: The server's own words.
    """

    def __init__(self, text: str, said: str = "") -> None:
        super().__init__(text)
        self.said = said


class AccountBusy(AccountProblem):
    """Another task reads the account at this moment; nothing is wrong."""


class AccountGone(AccountProblem):
    """The account was deleted in the CRM while it was read."""
