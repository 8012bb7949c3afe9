"""Decisions that are made on this side: wishes to cancel, and tasks whose message was set aside. Synchronous."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from batchtask import envelope, task
from batchtask.broker import Delivery
from batchtask.errors import MessageError, TaskNotFound
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.messages import CancelTask, SubmitTask
from batchtask.store import Append, EventStore, first_event


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
        return self._decide(command.id, task.RequestCancel(requested_by=command.requested_by, reason=command.reason))

    def reject(self, task_id: TaskId, message: str, delivery: Delivery) -> list[RecordedEvent]:
        """End a task whose message was set aside; adds nothing to one that has finished, or that nobody knows."""
        self._ensure_begun(delivery)
        try:
            return self._decide(task_id, task.Reject(message=message))
        except TaskNotFound:
            return []

    def _ensure_begun(self, delivery: Delivery) -> None:
        try:
            command = envelope.decode_command(delivery.body).command
        except MessageError:
            return
        if isinstance(command, SubmitTask):
            self._store.append_many([], ensure=[first_event(command)])

    def _decide(self, task_id: TaskId, intention: task.Intention) -> list[RecordedEvent]:
        """Return the whole stream: a crash may have kept what was decided before from becoming known."""
        while True:
            history = self._store.load(task_id)
            state = task.fold(history)
            if state is None:
                raise TaskNotFound(str(task_id))
            try:
                append = Append(task_id, state.version, task.decide(state, intention), self._now())
            except task.AlreadyFinished:
                return history
            if not self._store.append_many([append]):
                return [*history, *append.recorded()]
