"""What users may write on a task: its description, request and response, whatever state it is in. Synchronous.

Whoever amends projects or announces the events that come back; after a crash in between, the reconciler does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from batchtask.errors import StoreError, TaskNotFound
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.intentions import Amend, NotSucceeded
from batchtask.locks import Lock, advisory_lock
from batchtask.store import Append, EventStore
from batchtask.task import decide
from batchtask.task_state import fold


class NotAmendable(StoreError):
    """The task did not succeed, so there is no result that anybody could clean up after."""

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id)
        self.task_id = task_id

    def __str__(self) -> str:
        return f"task {self.task_id} has not succeeded; only a success can be left to somebody to clean up after"


class Amendments:
    """Appends what users write.

    Args:
        store: Where the streams are.
        now: The clock.
    """

    def __init__(self, store: EventStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def amend(self, task_id: TaskId, wanted: Amend) -> list[RecordedEvent]:
        """Append one amendment and return it in its place; empty when nothing was wanted that is not so already.

        Two at once both count, the later one last. Repeating it writes the same texts again.

        Raises:
            TaskNotFound: There is no such task.
            NotAmendable: It did not succeed, and `manual_cleanup` was wanted; nothing was written.
            StoreUnavailable: Not known whether it was written.
        """
        # Whoever removes the task must not be doing so between our reading and our writing.
        with advisory_lock(self._store.engine, Lock.RETENTION, shared=True):
            while True:
                state = fold(self._store.load(task_id))
                if state is None:
                    raise TaskNotFound(str(task_id))
                try:
                    events = decide(state, wanted)
                except NotSucceeded:
                    raise NotAmendable(str(task_id)) from None
                append = Append(task_id, state.version, events, self._now())
                if not self._store.append_many([append]):
                    return append.recorded()
