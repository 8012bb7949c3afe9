"""Schedules through the modern API, changed; for administrators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Protocol, runtime_checkable
from urllib.parse import quote

import msgspec
from litestar import Controller, Request, Response, delete, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT

from batchtask.errors import InvalidSchedule
from batchtask.http.callers import SYSTEM, Caller
from batchtask.http.choosing import Number
from batchtask.http.mounting import root_of
from batchtask.http.problems import NotFound
from batchtask.http.texts import Name
from batchtask.messages import SubmitTask
from producer.submission import Preparer
from producer.task_request import TaskRequest

SCHEDULES = "/api/v2/schedules"

ScheduleName = Annotated[str, PathParameter(description="The schedule's name.", max_length=254)]


@runtime_checkable
class ScheduleBook(Protocol):
    """Keeps schedules; errors as of `projections.schedules`. Synchronous."""

    def add(self, name: str, cron: str, time_zone: str, command: SubmitTask) -> datetime: ...

    def pause(self, name: str) -> None: ...

    def resume(self, name: str) -> datetime: ...

    def remove(self, name: str) -> None: ...


class NewSchedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task to submit at times of the clock."""

    name: Name  #: of the schedule
    cron: Name  #: minute, hour, day, month, weekday: `30 2 * * mon-fri`; or `@daily`
    task: Name  #: name of the definition
    parameters: dict[str, Any] = {}  #: as the definition's schema says
    time_zone: Name = "UTC"  #: by whose clocks, such as `Europe/Oslo`
    description: str = ""  #: what the owner reads beside the progress bar
    owner: Number = SYSTEM  #: associate id; 0 = system
    database_tag: Annotated[str, msgspec.Meta(max_length=39)] = ""  #: only workers of this database take its tasks


class ScheduleState(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule after a change."""

    name: str
    paused: bool
    next_at: datetime | None  #: of the next tick; None while paused


class ScheduleCommands(Controller):
    """Changing schedules."""

    path = SCHEDULES
    tags = ("schedules",)

    @post("/", status_code=HTTP_201_CREATED, sync_to_thread=True)
    def add(
        self,
        *,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        preparer: NamedDependency[Preparer],
        schedules: NamedDependency[ScheduleBook],
        data: JSONBody[NewSchedule],
    ) -> Response[ScheduleState]:
        """Add a schedule; a tick is skipped while the task of the last one is open. For administrators."""
        caller.require_administrator()
        if "/" in data.name:
            raise InvalidSchedule("a schedule's name stands in paths: leave the slash out")
        next_at = schedules.add(data.name, data.cron, data.time_zone, preparer.command(_request(data)))
        location = f"{root_of(request)}{SCHEDULES}/{quote(data.name, safe='')}"
        return Response(_ticking(data.name, next_at), headers={"Location": location})

    @post("/{name:str}/pause", status_code=HTTP_200_OK, sync_to_thread=True)
    def pause(
        self, caller: NamedDependency[Caller], schedules: NamedDependency[ScheduleBook], name: ScheduleName
    ) -> ScheduleState:
        """Let ticks pass until the schedule is resumed. For administrators; harmless to repeat."""
        caller.require_administrator()
        schedules.pause(_storable(name))
        return ScheduleState(name=name, paused=True, next_at=None)

    @post("/{name:str}/resume", status_code=HTTP_200_OK, sync_to_thread=True)
    def resume(
        self, caller: NamedDependency[Caller], schedules: NamedDependency[ScheduleBook], name: ScheduleName
    ) -> ScheduleState:
        """Go on with the next tick; those that passed meanwhile stay passed. For administrators."""
        caller.require_administrator()
        return _ticking(name, schedules.resume(_storable(name)))

    @delete("/{name:str}", status_code=HTTP_204_NO_CONTENT, sync_to_thread=True)
    def remove(
        self, caller: NamedDependency[Caller], schedules: NamedDependency[ScheduleBook], name: ScheduleName
    ) -> None:
        """Forget a schedule; the tasks that it submitted stay. For administrators."""
        caller.require_administrator()
        schedules.remove(_storable(name))


def _request(wanted: NewSchedule) -> TaskRequest:
    return TaskRequest(
        name=wanted.task,
        parameters=wanted.parameters,
        description=wanted.description or wanted.task,
        owner=wanted.owner,
        database_tag=wanted.database_tag,
    )


def _ticking(name: str, next_at: datetime) -> ScheduleState:
    return ScheduleState(name=name, paused=False, next_at=next_at.astimezone(UTC))


def _storable(name: str) -> str:
    """Refuse a name that no schedule can have, before a database does."""
    if "\0" in name:
        raise NotFound("no schedule has a NUL character in its name")
    return name
