"""Tasks that failed or were stopped, through the modern API: what an administrator looks after."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from sqlalchemy import Engine

from batchtask.http.callers import Caller
from batchtask.http.choosing import DeadCause
from batchtask.http.moments import Moment, require_zones
from batchtask.http.readable import LARGEST_INTEGER
from batchtask.http.texts import DefinitionName
from projections.dead_tasks import DeadFilter, DeadGroup, DeadTask, DeadTasks
from projections.rest.tasks import LARGEST_PAGE, Limit, Number

Causes = Annotated[
    list[DeadCause] | None, QueryParameter(name="cause", description="With one of these; may be repeated.")
]
Owner = Annotated[int | None, QueryParameter(ge=0, le=LARGEST_INTEGER, description="Associate id; 0 = system.")]


class DeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some dead tasks, newest first."""

    tasks: list[DeadTask]
    next_before: int | None  #: ask for the next page with `before` of this; None = there is none


class DeadGroups(msgspec.Struct, frozen=True, kw_only=True):
    """Dead tasks that failed alike, the largest groups first."""

    groups: list[DeadGroup]


def dead_filter(
    *,
    name: DefinitionName = None,
    owner: Owner = None,
    since: Moment = None,
    until: Moment = None,
    causes: Causes = None,
) -> DeadFilter:
    """Read which dead tasks are wanted."""
    require_zones(since=since, until=until)
    return DeadFilter(name=name, owner=owner, since=since, until=until, causes=causes)


class DeadReads(Controller):
    """What failed, or was stopped."""

    path = "/api/v2/dead"
    tags = ("dead tasks",)
    dependencies = {"wanted": Provide(dead_filter, sync_to_thread=False)}  # noqa: RUF012 - as Litestar has it

    @get("/", sync_to_thread=True)
    def tasks(
        self,
        *,
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        wanted: NamedDependency[DeadFilter],
        before: Number = None,
        limit: Limit = 20,
    ) -> DeadPage:
        """List tasks that failed or were stopped, newest first. For administrators."""
        caller.require_administrator()
        found = DeadTasks(engine).tasks(wanted, limit=limit + 1, before=before)
        page = found[:limit]
        return DeadPage(tasks=page, next_before=page[-1].batchtask_id if len(found) > limit else None)

    @get("/groups", sync_to_thread=True)
    def groups(
        self,
        *,
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        wanted: NamedDependency[DeadFilter],
        limit: Limit = LARGEST_PAGE,
    ) -> DeadGroups:
        """Group the newest 20 000 of them by definition, cause and message, largest first. For administrators."""
        caller.require_administrator()
        return DeadGroups(groups=DeadTasks(engine).groups(wanted, limit=limit))
