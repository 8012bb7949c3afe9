"""Repairing drift: rows behind their streams, attempts whose lease ran out, queued tasks whose message is gone.

Every accepted task is exactly one of queued, waiting, leased by a live worker, dead, finished; `drift` finds those
that may not be, and this decides on each by its stream. Repairing is safe to repeat and to do twice at once: what is
appended states the version it was decided on, rows never go back, and a claim refuses a second message of a task.
`passes` says when and how much is looked at.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Engine

from batchtask.errors import MessageError
from batchtask.events import CheckpointSaved, Event, HeartbeatRecorded, RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.intentions import Defer, Expire
from batchtask.store import Append, EventStore
from batchtask.task import decide
from batchtask.task_state import Phase, TaskState, fold
from projections.drift import Look
from projections.projector import Projector

logger = logging.getLogger(__name__)

#: Streams in one transaction.
CHUNK = 500
MESSAGE_GONE = "Waiting to be queued again: its message was lost."


T = TypeVar("T")


class Fault(enum.StrEnum):
    """What was wrong with a task."""

    ROW_BEHIND = "row-behind"  #: the row lacked events; projected from the store
    LEASE_EXPIRED = "lease-expired"  #: nobody works on it any more; waits for its next attempt, or has failed
    MESSAGE_GONE = "message-gone"  #: no worker would ever have got it; waits to be published again


class Repair(msgspec.Struct, frozen=True):
    """One task that was put right."""

    task_id: UUID
    fault: Fault
    events: list[str]  #: names of what was appended; none where only the row was behind


#: What follows for a task that was looked at, by its stream; nothing if it is right after all.
Answer = Callable[[Look, TaskState], Sequence[Event]]


class Reconciler:
    """Puts tasks right that are not. One thread; any number of processes at once.

    Args:
        engine: The database.
        now: The clock.
        dry_run: Only say what would be done.
    """

    def __init__(self, engine: Engine, now: Callable[[], datetime], *, dry_run: bool = False) -> None:
        self._store = EventStore(engine)
        self._projector = Projector(engine)
        self._now = now
        self._dry_run = dry_run
        self._unreadable: set[TaskId] = set()

    def project(self, behind: Mapping[TaskId, int]) -> list[Repair]:
        """Bring rows up to date from their streams.

        Args:
            behind: The version each row has; -1 where there is none.

        Raises:
            StoreUnavailable: Some rows may have been written; look again.
        """
        repairs: list[Repair] = []
        for task_ids in _chunks(list(behind)):
            streams = self._load({task_id: behind[task_id] for task_id in task_ids})
            if not self._dry_run:
                self._projector.project(event for events in streams.values() for event in events)
            repairs += [Repair(task_id, Fault.ROW_BEHIND, []) for task_id, events in streams.items() if _news(events)]
        return repairs

    def expired(self, quiet: Sequence[Look]) -> list[Look]:
        """Return those whose attempts have said nothing for longer than their leases."""
        found: list[Look] = []
        for chunk in _chunks(quiet):
            streams = self._load(dict.fromkeys((look.task_id for look in chunk), -1))
            found += [
                look for look in chunk if self._append(look, streams.get(look.task_id, []), self._expiry).events
            ]
        return found

    def expire(self, quiet: Sequence[Look]) -> list[Repair]:
        """End the attempts that have said nothing for longer than their leases.

        Raises:
            StoreUnavailable: Some may have been ended; look again.
        """
        return self._decide(quiet, Fault.LEASE_EXPIRED, self._expiry)

    def queue_again(self, gone: Sequence[Look]) -> list[Repair]:
        """Have queued tasks published again whose messages are thought to be gone.

        Raises:
            StoreUnavailable: Some may have been put right; look again.
        """
        return self._decide(gone, Fault.MESSAGE_GONE, self._deferral)

    def _expiry(self, look: Look, state: TaskState) -> Sequence[Event]:
        if state.phase is not Phase.RUNNING or look.quiet_seconds <= state.lease_seconds:
            return []
        detail = f"nothing was heard of {state.worker} for {look.quiet_seconds:.0f} s"
        return decide(state, Expire(fence=state.fence, at=self._now(), detail=detail))

    def _deferral(self, _: Look, state: TaskState) -> Sequence[Event]:
        if state.phase is not Phase.QUEUED:
            return []
        return decide(state, Defer(due_at=self._now(), reason=MESSAGE_GONE))

    def _decide(self, looks: Sequence[Look], fault: Fault, answer: Answer) -> list[Repair]:
        repairs: list[Repair] = []
        for chunk in _chunks(looks):
            streams = self._load(dict.fromkeys((look.task_id for look in chunk), -1))
            appends = [self._append(look, streams.get(look.task_id, []), answer) for look in chunk]
            written = self._write([append for append in appends if append.events])
            repairs += [
                Repair(append.task_id, fault, [type(event).__name__ for event in append.events]) for append in written
            ]
        return repairs

    def _append(self, look: Look, history: Sequence[RecordedEvent], answer: Answer) -> Append:
        state = fold(history)
        # Whoever wrote since the look was taken has set the task right, or is alive.
        events = answer(look, state) if state is not None and state.version == look.version else []
        return Append(look.task_id, look.version, events, self._now())

    def _write(self, appends: Sequence[Append]) -> Sequence[Append]:
        """Append and project; return what nobody overtook. A crash in between leaves rows behind, found next time."""
        if self._dry_run or not appends:
            return appends
        refused = self._store.append_many(appends)
        written = [append for append in appends if append.task_id not in refused]
        self._projector.project(event for append in written for event in append.recorded())
        return written

    def _load(self, after: Mapping[TaskId, int]) -> dict[TaskId, list[RecordedEvent]]:
        try:
            return self._store.load_many(after)
        except MessageError as error:
            if len(after) > 1:
                # One of many is at fault, as when a newer release wrote it; the others must not wait for it.
                return {key: events for one in after.items() for key, events in self._load(dict([one])).items()}
            [task_id] = after
            if task_id not in self._unreadable:
                self._unreadable.add(task_id)
                logger.warning("task cannot be reconciled", extra={"task": task_id, "reason": str(error)})
            return {}


def _news(events: Sequence[RecordedEvent]) -> bool:
    """Whether a row without these events is wrong: children tell nobody of theirs, which only make a row newer."""
    return not all(isinstance(event.body, CheckpointSaved | HeartbeatRecorded) for event in events)


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
