"""Decisions that are made on this side: wishes to cancel, and tasks whose message was set aside. Synchronous."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from batchtask import envelope
from batchtask.broker import Delivery
from batchtask.errors import MessageError, TaskNotFound
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.intentions import AlreadyFinished, Intention, Reject, RequestCancel
from batchtask.messages import CancelTask, SubmitTask
from batchtask.store import Append, EventStore, first_event
from batchtask.task import decide
from batchtask.task_state import fold


class Decisions:
    """Appends what follows from an intention, and returns what is to be projected.

    Args:
        store: Where the streams are.
        now: The clock.
    """

    def __init__(self, store: EventStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def cancel(self, command: CancelTask) -> list[RecordedEvent]:
        """Record a wish to cancel; a task that waits ends with it. Adds nothing to one that has finished.

        Raises:
            TaskNotFound: Not submitted, or not recorded yet.
        """
        return self._decide(command.id, _wish(command))

    def reject(self, task_id: TaskId, message: str, delivery: Delivery) -> list[RecordedEvent]:
        """End a task whose message was set aside; adds nothing to one that has finished, or that nobody knows."""
        self._ensure_begun(delivery)
        try:
            return self._decide(task_id, Reject(message=message))
        except TaskNotFound:
            return []

    def _ensure_begun(self, delivery: Delivery) -> None:
        try:
            command = envelope.decode_command(delivery.body).command
        except MessageError:
            return
        if isinstance(command, SubmitTask):
            self._store.append_many([], ensure=[first_event(command)])

    def _decide(self, task_id: TaskId, intention: Intention) -> list[RecordedEvent]:
        """Return the whole stream: a crash may have kept what was decided before from becoming known."""
        while True:
            history = self._store.load(task_id)
            state = fold(history)
            if state is None:
                raise TaskNotFound(str(task_id))
            try:
                append = Append(task_id, state.version, decide(state, intention), self._now())
            except AlreadyFinished:
                return history
            if not self._store.append_many([append]):
                return [*history, *append.recorded()]


def _wish(command: CancelTask) -> RequestCancel:
    return RequestCancel(requested_by=command.requested_by, reason=command.reason, force=command.force)
