"""Taking turns: runs of some definitions never overlap and keep a distance in time, across all workers.

Whose turn it was last stands in one row for each definition; whether that run goes on, its stream says. So a turn can
not be held by a process that is gone. Synchronous; runs in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.database import database_errors
from batchtask.events import AttemptStarted, CancelNoticed, HeartbeatRecorded, ProgressReported, RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.intentions import Claim
from batchtask.store import Append, insert_events, select_events
from batchtask.tables import turn as turn_table
from batchtask.task_state import Phase, fold

#: While another run goes on, its end is looked for again after a share of the time it has taken so far: every look is
#: two events for each task that waits, so a run of hours must not be looked at every second. Guesses.
LOOK_AGAIN_SHARE, SHORTEST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.1, 2.0, 300.0
_REPORTS = (ProgressReported, HeartbeatRecorded, CancelNoticed)


@dataclass(frozen=True)
class Distance:
    """What has to lie between two runs of one definition."""

    start_to_start_seconds: float
    end_to_start_seconds: float


class Turns:
    """Hands out turns, one definition at a time.

    Args:
        engine: The database that holds the streams.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def taking(self, name: str, distance: Distance) -> Iterator[Turn]:
        """Hold all others off while the caller claims a task of a definition.

        Raises:
            StoreUnavailable: Nothing is known; take the turn again.
        """
        with database_errors(), self._engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
            yield Turn(connection, name, distance)


class Turn:
    """One claim's look at whose turn it is, under the lock."""

    def __init__(self, connection: Connection, name: str, distance: Distance) -> None:
        self._connection = connection
        self._name = name
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
            values = {"task_id": append.task_id, "fence": started.fence, "started_at": append.occurred_at}
            statement = insert(turn_table).values(name=self._name, **values)
            self._connection.execute(statement.on_conflict_do_update(constraint="turn_pkey", set_=values))
        return True

    def _due_at(self, at: datetime) -> datetime | None:
        """When the next run may begin; None for at once."""
        last = self._connection.execute(select(turn_table).where(turn_table.c.name == self._name)).one_or_none()
        if last is None:
            return None
        task_id = TaskId(last.task_id)
        history = select_events(self._connection, {task_id: -1})[task_id]
        started = next((event for event in history if _starts(event, last.fence)), None)
        if started is None:
            return None  # the database was set back
        state = fold(history)
        assert state is not None
        if state.phase is Phase.RUNNING and state.fence == last.fence:
            return at + timedelta(seconds=_look_again_seconds((at - started.occurred_at).total_seconds()))
        return max(
            started.occurred_at + timedelta(seconds=self._distance.start_to_start_seconds),
            _ended_at(history, started.version) + timedelta(seconds=self._distance.end_to_start_seconds),
        )


def _look_again_seconds(has_run_seconds: float) -> float:
    return min(max(has_run_seconds * LOOK_AGAIN_SHARE, SHORTEST_LOOK_SECONDS), LONGEST_LOOK_SECONDS)


def _starts(event: RecordedEvent, fence: int) -> bool:
    return isinstance(event.body, AttemptStarted) and event.body.fence == fence


def _ended_at(history: Sequence[RecordedEvent], started: int) -> datetime:
    later = (event for event in history if event.version > started and not isinstance(event.body, _REPORTS))
    return next(later).occurred_at
