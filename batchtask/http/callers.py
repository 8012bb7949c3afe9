"""Who calls, and what they may do with whose task. Pure; `batchtask/http/authentication.py` finds out who it is."""

from __future__ import annotations

import msgspec

from batchtask.definitions import TaskDefinition
from batchtask.http.problems import Forbidden

#: The owner of tasks that nobody started: the system itself.
SYSTEM = 0


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever makes a request, after proving who they are."""

    associate_id: int  #: of the CRM's user; never 0
    name: str  #: the user's login name
    administrator: bool = False  #: may see and change everything, system tasks included

    def may_see(self, owner: int) -> bool:
        """Tell whether a task of this owner may be seen; what may be seen may also be stopped."""
        return self.administrator or owner == self.associate_id

    def require_may_start(self, definition: TaskDefinition) -> None:
        """Refuse a task that only administrators may start.

        Raises:
            Forbidden: It is one, and the caller is none.
        """
        if definition.administrators_only and not self.administrator:
            raise Forbidden(f"only administrators may start the task {definition.name!r}: ask one of them")

    def require_administrator(self) -> None:
        """Refuse everybody else.

        Raises:
            Forbidden: The caller is no administrator.
        """
        if not self.administrator:
            raise Forbidden(
                "only administrators may do this: ask for the functional right of a general administrator"
            )
