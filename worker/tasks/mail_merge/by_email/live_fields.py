"""Variables by the live user-defined fields, which may be published anew while mails go out for hours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from batchtask.definitions import TaskFailure
from batchtask.udef.versions import live_versions
from worker.tasks.mail_merge.variables import Variables

T = TypeVar("T")


class LiveFields:
    """Variables that fit the values read with them.

    Args:
        connection: To read with, at isolation level READ COMMITTED.
        make: Makes the variables, by the definitions that are live when it is called.
    """

    def __init__(self, connection: Connection, make: Callable[[], Variables]) -> None:
        self._connection = connection
        self._make = make
        self._versions: frozenset[tuple[str, str]] | None = None  #: that `_variables` were made of
        self._variables: Variables | None = None

    def read(self, values: Callable[[Variables], T]) -> tuple[Variables, T]:
        """Read values, again if fields were published meanwhile, and return them with the variables that fit.

        Raises:
            TaskFailure: A variable prints another field than before: the mails would not be the same for all.
        """
        while True:
            versions = live_versions(self._connection)
            variables = self._of(versions)
            found = values(variables)
            if live_versions(self._connection) == versions:
                self._connection.rollback()  # while mails are written, no transaction stays open
                return variables, found

    def _of(self, versions: frozenset[tuple[str, str]]) -> Variables:
        if self._variables is None or self._versions != versions:
            made = self._make()
            if self._variables is not None:
                _require_same(self._variables, made)
            self._variables, self._versions = made, versions
        return self._variables


def _require_same(before: Variables, now: Variables) -> None:
    fields = now.user_defined()
    moved = [f"{{{name}}}" for name, identity in before.user_defined().items() if fields[name] != identity]
    if moved:
        raise TaskFailure(
            f"User-defined fields were published while mails were sent, and {', '.join(moved)} in the text would "
            "print something else from now on: correct the template, then start a merge for those who got none yet."
        )
