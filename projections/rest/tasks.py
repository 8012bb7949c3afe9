"""Tasks of the modern API, read: who the caller is, a list, one task."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.problems import BadRequest
from batchtask.http.readable import LARGEST_INTEGER, visible_task
from batchtask.http.texts import DefinitionName
from batchtask.http.views import CallerView, TaskPage, TaskState, TaskView
from projections.task_views import TaskViews

LARGEST_PAGE = 100

Limit = Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="At most so many.")]
States = Annotated[
    list[TaskState] | None, QueryParameter(name="state", description="In one of these; may be repeated.")
]
Number = Annotated[
    int | None, QueryParameter(ge=0, le=LARGEST_INTEGER, description="Only tasks with a lower number.")
]


class TaskReads(Controller):
    """What can be asked of tasks."""

    path = "/api/v2"
    tags = ("tasks",)

    @get("/me", sync_to_thread=False)
    def me(self, caller: NamedDependency[Caller]) -> CallerView:
        """Tell who the caller is taken to be."""
        return CallerView(associate_id=caller.associate_id, name=caller.name, administrator=caller.administrator)

    @get("/tasks", sync_to_thread=True)
    def tasks(
        self,
        *,
        caller: NamedDependency[Caller],
        task_views: NamedDependency[TaskViews],
        states: States = None,
        name: DefinitionName = None,
        owner: FromQuery[Literal["all"] | int | None] = None,
        before: Number = None,
        limit: Limit = 20,
    ) -> TaskPage:
        """List tasks, newest first: the caller's own, or those of others for administrators."""
        found = task_views.page(
            owner=owner_asked(caller, owner), states=states or (), name=name, before=before, limit=limit + 1
        )
        page = found[:limit]
        return TaskPage(tasks=page, next_before=page[-1].number if len(found) > limit else None)

    @get("/tasks/{key:str}", sync_to_thread=True)
    def task(self, caller: NamedDependency[Caller], task_views: NamedDependency[TaskViews], key: Key) -> TaskView:
        """Show one task."""
        return visible_task(caller, task_views, key)


def owner_asked(caller: Caller, owner: Literal["all"] | int | None) -> int | None:
    """Return whose tasks are meant; None = everybody's.

    Raises:
        Forbidden: Others' tasks, and the caller is no administrator.
        BadRequest: There cannot be such an associate.
    """
    if owner is None:
        return caller.associate_id
    if owner == "all":
        caller.require_administrator()
        return None
    if not caller.may_see(owner):
        caller.require_administrator()
    if not 0 <= owner <= LARGEST_INTEGER:
        raise BadRequest(f"owner is `all` or an associate id, from 0 to {LARGEST_INTEGER}")
    return owner
