"""Telling the end of a task once: whoever of all the owner's pages and machines asks first shall show it."""

from __future__ import annotations

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK
from sqlalchemy import Engine, literal, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.database import database_errors
from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.problems import Conflict
from batchtask.http.readable import TaskReader, visible_task
from batchtask.http.views import OPEN_STATES
from batchtask.identifiers import TaskId
from batchtask.tables_told import told, version_of_end


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is the caller's turn to tell."""

    first: bool  #: nobody asked before; show it now, for all others get false


class TaskTold(Controller):
    """Telling ends once."""

    path = "/api/v2"
    tags = ("tasks",)

    @post("/tasks/{key:str}/told", status_code=HTTP_200_OK, sync_to_thread=True)
    def told(
        self,
        caller: NamedDependency[Caller],
        task_views: NamedDependency[TaskReader],
        engine: NamedDependency[Engine],
        key: Key,
    ) -> Told:
        """Ask for the right to show the owner that a task has ended; the first to ask gets it, of all pages.

        An administrator who looks at somebody else's task never gets it. A task that is begun anew may be told again
        when it ends again. Whoever loses the answer has used it up: better not told than told twice.
        409 when the task has not ended.
        """
        task = visible_task(caller, task_views, key)
        if task.state in OPEN_STATES:
            raise Conflict(f"task {task.number} has not ended yet; ask again when it has")
        if task.owner != caller.associate_id:
            return Told(first=False)
        return Told(first=tell_first(engine, TaskId(task.id)))


def tell_first(engine: Engine, task_id: TaskId) -> bool:
    """Note that the owner is told of a task's last end, and tell whether nobody had noted it before.

    Raises:
        StoreUnavailable: It may be noted or not.
    """
    end = select(literal(task_id, told.c.task_id.type), version_of_end(task_id).label("version")).subquery()
    noted = insert(told).from_select(["task_id", "version"], select(end).where(end.c.version.is_not(None)))
    newer = noted.on_conflict_do_update(
        index_elements=["task_id"],
        set_={"version": noted.excluded.version, "told_at": noted.excluded.told_at},
        where=told.c.version < noted.excluded.version,
    )
    with database_errors(), engine.begin() as connection:
        return connection.execute(newer.returning(told.c.task_id)).first() is not None
