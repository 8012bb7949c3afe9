"""The history of a task through the modern API: every event, in order, with a sentence that says what happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy import Engine

from batchtask import upcasters
from batchtask.events import Event, RecordedEvent
from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.readable import LARGEST_INTEGER, visible_task
from batchtask.identifiers import TaskId
from batchtask.store import EventStore
from projections.names import login_names
from projections.task_views import TaskViews
from projections.telling import Names, people_of, tell

LARGEST_PAGE = 1000
#: Written name of what is left out unless asked for: one a minute for as long as a task runs.
HEARTBEAT = "HeartbeatRecorded"
#: Parameters have a resource of their own.
_ELSEWHERE = frozenset({"parameters", "payload_ref"})
#: Tracebacks, what task code noted for itself, and ids of messages.
_FOR_ADMINISTRATORS = frozenset({"detail", "data", "delivery_id"})

AfterVersion = Annotated[
    int | None, QueryParameter(ge=0, le=LARGEST_INTEGER, description="Only events behind this version.")
]
EventLimit = Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="At most so many.")]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a task."""

    version: int  #: its place in the task's history, from 0
    occurred_at: datetime
    type: str  #: such as `AttemptStarted`; docs/reference.md has all
    text: str  #: the same in a sentence
    data: dict[str, Any]  #: its fields; tracebacks and checkpoints for administrators only


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, oldest first."""

    events: list[EventView]
    next_after: int | None  #: ask for the next page with `after` of this; None = there is none


class EventReads(Controller):
    """What happened to a task."""

    path = "/api/v2"
    tags = ("tasks",)

    @get("/tasks/{key:str}/events", sync_to_thread=True)
    def events(
        self,
        *,
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        task_views: NamedDependency[TaskViews],
        key: Key,
        after: AfterVersion = None,
        limit: EventLimit = LARGEST_PAGE,
        heartbeats: Annotated[bool, QueryParameter(description="Signs of life as well, one each minute.")] = False,
    ) -> EventPage:
        """Tell what happened to a task, oldest first. Signs of life are left out, unless with `heartbeats`."""
        task_id = TaskId(visible_task(caller, task_views, key).id)
        found = EventStore(engine).page(
            task_id,
            after=-1 if after is None else after,
            limit=limit + 1,
            without=() if heartbeats else (HEARTBEAT,),
        )
        page = found[:limit]
        names = login_names(engine, people_of(event.body for event in page))
        return EventPage(
            events=[_view(event, names, caller) for event in page],
            next_after=page[-1].version if len(found) > limit else None,
        )


def _view(event: RecordedEvent, names: Names, caller: Caller) -> EventView:
    return EventView(
        version=event.version,
        occurred_at=event.occurred_at.astimezone(UTC),
        type=upcasters.events.name(event.body),
        text=tell(event.body, names),
        data=_data(event.body, administrator=caller.administrator),
    )


def _data(body: Event, *, administrator: bool) -> dict[str, Any]:
    hidden = _ELSEWHERE if administrator else _ELSEWHERE | _FOR_ADMINISTRATORS
    return {name: value for name, value in msgspec.structs.asdict(body).items() if name not in hidden}
