"""The session of `TaskContext.transaction`, for whoever stands behind the context."""

from __future__ import annotations

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session


class Block(Session):
    """A session that nothing commits but the end of its block, because that is where the fence is checked."""

    def commit(self) -> None:
        raise InvalidRequestError("The end of the `with` block commits; leave it by an error to roll back.")

    def commit_now(self) -> None:
        """Commit, from the end of the block."""
        super().commit()


def refuse_nested(inside: bool) -> None:
    """Hold that a task has one transaction at a time.

    Raises:
        InvalidRequestError: It has one.
    """
    if inside:
        raise InvalidRequestError("A transaction of this task is open already: use its session.")
