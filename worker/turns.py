"""Taking turns: a claim of a definition whose runs never overlap looks, under a lock, whether it is its turn.

If not, the task waits; the scheduler brings it back when nobody runs and the distance is kept, the longest waiting
one first. Synchronous; runs in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from batchtask import turns
from batchtask.database import database_errors
from batchtask.events import AttemptStarted
from batchtask.identifiers import TaskId
from batchtask.intentions import Claim
from batchtask.store import Append, insert_events
from batchtask.turns import Distance

__all__ = ["Distance", "Turn", "Turns"]

#: While another task has the turn, one waits at least so long: a bound for a scheduler that does not know better.
LOOK_AGAIN_SECONDS = 1.0


class Turns:
    """Hands out turns, one definition at a time.

    Args:
        engine: The database that holds the streams.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def taking(self, name: str, task_id: TaskId, distance: Distance) -> Iterator[Turn]:
        """Hold all others off while the caller claims a task of a definition.

        Raises:
            StoreUnavailable: Nothing is known; take the turn again.
        """
        with database_errors(), self._engine.begin() as connection:
            turns.lock(connection, name)
            yield Turn(connection, name, task_id, distance)


class Turn:
    """One claim's look at whose turn it is, under the lock."""

    def __init__(self, connection: Connection, name: str, task_id: TaskId, distance: Distance) -> None:
        self._connection = connection
        self._name = name
        self._task_id = task_id
        self._distance = distance

    def restrict(self, claim: Claim) -> Claim:
        """Tell a claim to wait if it is not its turn."""
        due_at = self._due_at(claim.at)
        if due_at is None or due_at <= claim.at:
            return claim
        return replace(claim, unable="Waiting for its turn", defer_until=due_at)

    def append(self, append: Append) -> bool:
        """Append what the claim means and take the turn with it, both or none; False when another was first."""
        if not insert_events(self._connection, [append]):
            return False
        started = append.events[-1]
        if isinstance(started, AttemptStarted):
            turns.take(self._connection, self._name, append.task_id, started.fence)
        return True

    def _due_at(self, at: datetime) -> datetime | None:
        """When this task may run; None for at once."""
        standing = turns.look(self._connection, self._name, at)
        look_again_at = at + timedelta(seconds=LOOK_AGAIN_SECONDS)
        if standing.running == self._task_id:
            # Its own last run is known to be dead, or it would not get as far as this.
            standing = replace(standing, running=None, ended_at=at)
        if standing.running is not None and standing.started_at is not None:
            return max(look_again_at, standing.started_at + timedelta(seconds=self._distance.start_to_start_seconds))
        if standing.next not in {None, self._task_id}:
            return look_again_at
        return standing.free_at(self._distance)
