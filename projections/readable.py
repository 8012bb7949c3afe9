"""When what was submitted can be read: whoever submits waits here for the row. For one event loop."""

from __future__ import annotations

import asyncio

from batchtask.errors import BatchTaskError
from batchtask.events import RecordedEvent
from batchtask.http.views import TaskView
from batchtask.identifiers import TaskId
from batchtask.store import EventStore
from projections.task_views import TaskViews

#: Between two looks at the database, which are for all who wait at once.
LOOK_SECONDS = 0.02


class Rows:
    """Tells when rows are there.

    Args:
        views: Reads them.
        store: Where the streams are.
        seconds: How long to wait for one.
    """

    def __init__(self, views: TaskViews, store: EventStore, seconds: float) -> None:
        self._views = views
        self._store = store
        self._seconds = seconds
        self._waiting: dict[asyncio.Future[TaskView], TaskId] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait_for(self, task_id: TaskId, *, seconds: float | None = None) -> TaskView | None:
        """Return a task's view as soon as its row is there; None when it is not in time.

        Args:
            task_id: What was submitted.
            seconds: How long to wait, if not as usual.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        row: asyncio.Future[TaskView] = asyncio.get_running_loop().create_future()
        self._waiting[row] = task_id
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(self._seconds if seconds is None else seconds):
                return await row
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(row, None)

    async def submission(self, task_id: TaskId) -> RecordedEvent | None:
        """Return the first event of a task, its `TaskSubmitted`; None before it is recorded.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        events = await asyncio.to_thread(self._store.page, task_id, limit=1)
        return events[0] if events else None

    async def _look(self) -> None:
        """Look for the rows of all who wait, until nobody does."""
        while self._waiting:
            try:
                views = await asyncio.to_thread(self._views.some, list(set(self._waiting.values())))
            except BatchTaskError as error:
                self._tell_all(error)
                return
            found = {TaskId(view.id): view for view in views}
            for row, task_id in self._waiting.items():
                if task_id in found and not row.done():
                    row.set_result(found[task_id])
            await asyncio.sleep(LOOK_SECONDS)

    def _tell_all(self, error: BatchTaskError) -> None:
        for row in self._waiting:
            if not row.done():
                row.set_exception(error)
