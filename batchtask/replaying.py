"""Dead tasks begin anew: the command is in their streams, so nothing but an event is needed. Synchronous.

The scheduler publishes what was replayed, as everything that waits. Whoever replays projects or announces the events
that come back; after a crash in between, the reconciler does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from batchtask.definitions import Registry
from batchtask.errors import BatchTaskError, SubmitError, TaskNotFound
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.intentions import NotDead, Replay
from batchtask.locks import Lock, advisory_lock
from batchtask.parameters import checked_parameters
from batchtask.payloads import PayloadStore
from batchtask.store import Append, EventStore
from batchtask.task import decide
from batchtask.task_state import Phase, TaskState, fold

_PHASES = {
    Phase.QUEUED: "waits for a worker",
    Phase.WAITING: "waits to be queued again",
    Phase.RUNNING: "is running",
    Phase.SUCCEEDED: "has succeeded",
}


class NotReplayable(SubmitError):
    """The task is open, or did what it should."""

    def __init__(self, task_id: str, state: str) -> None:
        super().__init__(task_id, state)
        self.task_id = task_id
        self.state = state

    def __str__(self) -> str:
        return f"task {self.task_id} {self.state}; only one that failed or was stopped can be replayed"


@dataclass
class Replayed:
    """What came of some replays."""

    histories: dict[TaskId, list[RecordedEvent]] = field(default_factory=dict)  #: whole streams, to be projected
    refused: dict[TaskId, BatchTaskError] = field(default_factory=dict)  #: nothing was written for these


class Replays:
    """Begins dead tasks anew, each with all its budgets and a history that stays.

    Args:
        store: Where the streams are.
        registry: The definitions that changed parameters must fit.
        payloads: Where large parameters lie.
        now: The clock.
    """

    def __init__(
        self, store: EventStore, registry: Registry, payloads: PayloadStore, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._registry = registry
        self._payloads = payloads
        self._now = now

    def replay(
        self, task_id: TaskId, *, requested_by: int = 0, changes: Mapping[str, Any] | None = None
    ) -> list[RecordedEvent]:
        """Begin one task anew and return its whole stream, to be projected or announced.

        Args:
            task_id: A task that failed or was stopped.
            requested_by: Associate id; 0 = system.
            changes: Parameters that get another value; the others keep theirs.

        Raises:
            TaskNotFound, NotReplayable: There is no such task, or it is not dead; nothing was written.
            UnknownTask, InvalidParameters, PayloadTooLarge, PayloadUnwritable, MalformedMessage: The changes cannot
                be made; nothing was written.
            StoreUnavailable: Not known whether it was written: replay again, which then refuses or does it.
        """
        replayed = self.replay_many([task_id], requested_by=requested_by, changes=changes)
        for refusal in replayed.refused.values():
            raise refusal
        return replayed.histories[task_id]

    def replay_many(
        self, task_ids: Iterable[TaskId], *, requested_by: int = 0, changes: Mapping[str, Any] | None = None
    ) -> Replayed:
        """Begin tasks anew in one transaction; what is refused is told and holds up none of the others.

        Raises:
            StoreUnavailable: Not known whether anything was written.
        """
        with advisory_lock(self._store.engine, Lock.RETENTION, shared=True):
            return self._replay(list(dict.fromkeys(task_ids)), requested_by, changes)

    def _replay(self, todo: list[TaskId], requested_by: int, changes: Mapping[str, Any] | None) -> Replayed:
        replayed = Replayed()
        while todo:
            histories = self._store.load_many(dict.fromkeys(todo, -1))
            appends: list[Append] = []
            for task_id in todo:
                try:
                    appends.append(self._append(task_id, histories[task_id], requested_by, changes))
                except BatchTaskError as error:
                    replayed.refused[task_id] = error
            todo = list(self._store.append_many(appends))  # somebody else was first with these: look again
            for append in appends:
                if append.task_id not in todo:
                    replayed.histories[append.task_id] = [*histories[append.task_id], *append.recorded()]
        return replayed

    def refusals(self, task_ids: Iterable[TaskId]) -> dict[TaskId, BatchTaskError]:
        """Say which tasks are not to be replayed, and why; changes nothing.

        Raises:
            StoreUnavailable: Nothing is known; ask again.
        """
        refused: dict[TaskId, BatchTaskError] = {}
        for task_id, history in self._store.load_many(dict.fromkeys(task_ids, -1)).items():
            try:
                _dead(task_id, history, self._now())
            except BatchTaskError as error:
                refused[task_id] = error
        return refused

    def _append(
        self,
        task_id: TaskId,
        history: Sequence[RecordedEvent],
        requested_by: int,
        changes: Mapping[str, Any] | None,
    ) -> Append:
        at = self._now()
        state = _dead(task_id, history, at)
        parameters, payload_ref = self._changed(task_id, state, changes)
        replay = Replay(requested_by=requested_by, at=at, parameters=parameters, payload_ref=payload_ref)
        return Append(task_id, state.version, decide(state, replay), at)

    def _changed(
        self, task_id: TaskId, state: TaskState, changes: Mapping[str, Any] | None
    ) -> tuple[dict[str, Any] | None, str | None]:
        if not changes:
            return None, None
        first = state.submitted
        before = self._payloads.fetch(first.payload_ref) if first.payload_ref else first.parameters
        parameters = checked_parameters(self._registry[state.name], {**before, **changes})
        return self._payloads.place(task_id, parameters)


def _dead(task_id: TaskId, history: Sequence[RecordedEvent], at: datetime) -> TaskState:
    """Return the state of a task that may begin anew.

    Raises:
        TaskNotFound, NotReplayable: There is no such task, or it is not dead.
    """
    state = fold(history)
    if state is None:
        raise TaskNotFound(str(task_id))
    try:
        decide(state, Replay(requested_by=0, at=at))
    except NotDead:
        raise NotReplayable(str(task_id), _PHASES[state.phase]) from None
    return state
