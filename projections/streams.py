"""Reading many streams where one that cannot be read must not hold up the others. Synchronous; one thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from batchtask.errors import MessageError
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.store import select_events

logger = logging.getLogger(__name__)


class StreamReader:
    """Leaves out what this release cannot read, as when a newer one wrote it, and says so once for each."""

    def __init__(self) -> None:
        self._unreadable: set[TaskId] = set()

    def read(self, connection: Connection, task_ids: Sequence[TaskId]) -> dict[TaskId, list[RecordedEvent]]:
        """Return whole streams, as this transaction sees them."""
        try:
            return select_events(connection, dict.fromkeys(task_ids, -1))
        except MessageError:
            if len(task_ids) > 1:
                loaded = [self.read(connection, [task_id]) for task_id in task_ids]
                return {task_id: events for one in loaded for task_id, events in one.items()}
            if task_ids[0] not in self._unreadable:
                self._unreadable.add(task_ids[0])
                logger.exception("stream cannot be read", extra={"task": task_ids[0]})
            return {}
