"""Removing ended tasks for good, in both APIs: all that were named, or none."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Controller, delete
from litestar.di import NamedDependency

from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.problems import Conflict
from batchtask.http.readable import TaskReader, visible_task
from batchtask.identifiers import TaskId
from batchtask.removal import Removal, TasksOpen


class TaskDeletes(Controller):
    """Removing tasks through the modern API."""

    path = "/api/v2"
    tags = ("tasks",)

    @delete("/tasks/{key:str}", sync_to_thread=True)
    def delete(
        self,
        caller: NamedDependency[Caller],
        task_views: NamedDependency[TaskReader],
        removal: NamedDependency[Removal],
        key: Key,
    ) -> None:
        """Remove a task that has ended, with its history, log and files. 409 when it is open: stop it first."""
        delete_tasks(caller, task_views, removal, [key])


def delete_tasks(caller: Caller, tasks: TaskReader, removal: Removal, keys: Sequence[str]) -> None:
    """Remove tasks that have ended, by ids or numbers.

    Raises:
        TaskNotFound: One is not there, or is somebody else's; nothing was removed.
        Conflict: Some are open; nothing was removed.
    """
    found = {TaskId(task.id): task.number for task in (visible_task(caller, tasks, key) for key in keys)}
    try:
        removal.remove_ended(found)
    except TasksOpen as error:
        numbers = ", ".join(str(number) for task_id, number in found.items() if str(task_id) in error.task_ids)
        raise Conflict(f"not ended yet: {numbers}. Nothing was removed; stop what is open first") from None
