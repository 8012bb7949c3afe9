"""Beginning a dead task anew through the modern API; for administrators."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED

from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.readable import RowWriter, TaskReader, visible_task
from batchtask.http.views import TaskView
from batchtask.identifiers import TaskId
from batchtask.replaying import Replays


class ReplayWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a dead task is to begin anew."""

    parameters: dict[str, Any] = {}  #: those that get another value; the others keep theirs


class TaskReplays(Controller):
    """Beginning dead tasks anew."""

    path = "/api/v2"
    tags = ("dead tasks",)

    @post("/tasks/{key:str}/replay", status_code=HTTP_202_ACCEPTED, sync_to_thread=True)
    def replay(
        self,
        *,
        caller: NamedDependency[Caller],
        replays: NamedDependency[Replays],
        row_writer: NamedDependency[RowWriter],
        task_views: NamedDependency[TaskReader],
        key: Key,
        data: JSONBody[ReplayWish | None] = None,
    ) -> TaskView:
        """Begin a task anew that failed or was stopped, with all its attempts; its history stays. For administrators.

        Answers with the task as it is from then on. 409 when it is not dead (any more), so a repetition is harmless.
        """
        task_id = TaskId(visible_task(caller, task_views, key).id)
        caller.require_administrator()
        changes = (data or ReplayWish()).parameters
        row_writer.project(replays.replay(task_id, requested_by=caller.associate_id, changes=changes))
        return task_views.one(task_id)
