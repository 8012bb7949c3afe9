"""Stopping a task through the modern API."""

from __future__ import annotations

import asyncio

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED

from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.problems import Conflict
from batchtask.http.readable import TaskReader, visible_task
from batchtask.http.texts import Reason
from batchtask.http.views import OPEN_STATES, TaskView
from batchtask.identifiers import TaskId
from producer.aio import Producer


class CancelWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said along with a wish to stop."""

    reason: Reason = ""  #: kept in the task's history
    force: bool = False  #: kill what runs, also a task that says it cannot be cancelled; for administrators


class TaskCancels(Controller):
    """Stopping tasks."""

    path = "/api/v2"
    tags = ("tasks",)

    @post("/tasks/{key:str}/cancel", status_code=HTTP_202_ACCEPTED)
    async def cancel(
        self,
        *,
        caller: NamedDependency[Caller],
        producer: NamedDependency[Producer],
        task_views: NamedDependency[TaskReader],
        key: Key,
        data: JSONBody[CancelWish | None] = None,
    ) -> TaskView:
        """Ask for a task to stop: at once when it waits, at its next safe point when it runs, or by force.

        Answered when the wish is safe, with the task as it is then; it stops a moment later. Harmless to repeat.
        409 when the task has ended, or its definition does not allow it.
        """
        wish = data or CancelWish()
        task = await asyncio.to_thread(visible_task, caller, task_views, key)
        if wish.force:
            caller.require_administrator()
        require_cancellable(task, force=wish.force)
        await producer.cancel(TaskId(task.id), requested_by=caller.associate_id, reason=wish.reason, force=wish.force)
        return task


def require_cancellable(task: TaskView, *, force: bool) -> None:
    """Hold that a wish to stop can have an effect.

    Raises:
        Conflict: It has ended, or its definition does not allow it.
    """
    if task.state not in OPEN_STATES:
        raise Conflict(f"task {task.number} has ended already; there is nothing to stop")
    if task.cancellation == "cannot" and not force:
        raise Conflict(f"task {task.number} cannot be cancelled, says its definition; an administrator can by force")
