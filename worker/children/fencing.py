"""Appending to the stream from within a child, in whatever transaction it likes: who holds an older lease is refused.

The primary key `(task_id, version)` decides. While our event is written and not yet committed, a takeover waits for
the same place and then finds it taken; where the takeover was first, we wait, find it, and are refused. So what
commits together with an event of ours commits while the lease is ours, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from batchtask.clock import DatabaseClock
from batchtask.database import patiently
from batchtask.errors import LeaseLost
from batchtask.events import CheckpointSaved, HeartbeatRecorded, RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.intentions import Refusal, Report
from batchtask.store import Append, insert_events, select_events
from batchtask.task import decide
from batchtask.task_state import TaskState, evolve, fold

#: A process that is frozen, or a host that vanishes, between our event and its commit makes whoever claims or records
#: the task wait, and with it the others of their batch: the server ends its transaction after this time. A guess.
COMMIT_SECONDS = 10


@dataclass(frozen=True)
class Entry:
    """An event in its place, and the state of the task once it is committed."""

    event: RecordedEvent
    state: TaskState


class Fence:
    """The right of one attempt to write. Belongs to one thread.

    Args:
        engine: Of the database that holds the stream, at isolation level READ COMMITTED.
        task_id: Whose stream.
        fence: Of the attempt's lease.
        tell: Called with the version of each event that was committed.
    """

    def __init__(self, engine: Engine, task_id: TaskId, fence: int, tell: Callable[[int], None]) -> None:
        self.engine = engine
        self.task_id = task_id
        self.number = fence
        self._tell = tell
        self._clock = DatabaseClock(engine)
        self._state: TaskState | None = None  #: of the stream, as far as we have seen it

    def append(self, connection: Connection, event: CheckpointSaved | HeartbeatRecorded) -> Entry:
        """Append in the connection's transaction. Commit at once: every other writer of the stream waits until then.

        Raises:
            LeaseLost: Somebody else works on the task by now; roll back.
        """
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{COMMIT_SECONDS}s'")
        while True:
            state = self._state or self._look(connection)
            try:
                decide(state, Report(fence=self.number, event=event))
            except Refusal as error:
                raise LeaseLost(str(self.task_id), self.number) from error
            append = Append(self.task_id, state.version, [event], self._clock.now())
            if insert_events(connection, [append]):
                return Entry(append.recorded()[0], evolve(state, event, state.version + 1))
            # The worker's heartbeats and progress, and wishes of others, stand in the same stream.
            self._look(connection)

    def committed(self, entry: Entry) -> None:
        """Go on from an event that is committed."""
        self._state = entry.state
        self._tell(entry.state.version)

    def stands(self, entry: Entry) -> bool:
        """Whether an event is in the stream whose commit got no answer; if not, it never will be.

        Waits while the database is away.
        """
        return patiently(lambda: self._stands(entry.event))

    def alive(self) -> HeartbeatRecorded:
        """The event for a commit that has nothing to say but that the attempt is alive."""
        return HeartbeatRecorded(fence=self.number)

    def _stands(self, event: RecordedEvent) -> bool:
        before = event.version - 1
        with self.engine.begin() as connection:
            # A lost transaction may be at work on the server still: one of us gets the place.
            insert_events(connection, [Append(self.task_id, before, [self.alive()], self._clock.now())])
            found = select_events(connection, {self.task_id: before})[self.task_id]
        return bool(found) and found[0] == event

    def _look(self, connection: Connection) -> TaskState:
        """Read what is new in the stream."""
        self._clock.sync_over(connection)
        after = -1 if self._state is None else self._state.version
        events = select_events(connection, {self.task_id: after})[self.task_id]
        state = fold(events, self._state)
        if not events or state is None:
            # Our place is free and we may not take it: the database was set back behind what we saw.
            raise LeaseLost(str(self.task_id), self.number)
        self._state = state
        return state
