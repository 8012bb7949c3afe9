"""Schedules through the modern API, read; adding, pausing and removing them is the command side's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from batchtask.http.callers import Caller
from batchtask.http.views import TaskState
from projections.schedules import Schedule, Schedules
from projections.task_views import word_of


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule and what became of its ticks."""

    name: str
    cron: str
    time_zone: str
    task: str  #: name of the definition that it submits
    parameters: dict[str, Any]
    owner: int  #: associate id; 0 = system
    description: str
    paused: bool
    next_at: datetime | None  #: of the next tick; None while paused
    last_at: datetime | None  #: of the last tick that submitted a task
    last_task_id: UUID | None
    last_number: int | None  #: of that task
    last_state: TaskState | None
    note: str  #: why the last tick submitted nothing, or there are no more
    noted_at: datetime | None


class ScheduleList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, by name."""

    schedules: list[ScheduleView]


class ScheduleReads(Controller):
    """What is submitted at times of the clock."""

    path = "/api/v2"
    tags = ("schedules",)

    @get("/schedules", sync_to_thread=True)
    def schedules(self, caller: NamedDependency[Caller], schedules: NamedDependency[Schedules]) -> ScheduleList:
        """List the schedules with their next and last runs. For administrators."""
        caller.require_administrator()
        return ScheduleList(schedules=[_view(schedule) for schedule in schedules.all()])


def _view(schedule: Schedule) -> ScheduleView:
    return ScheduleView(
        name=schedule.name,
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        task=schedule.task,
        parameters=schedule.parameters,
        owner=schedule.owner,
        description=schedule.description,
        paused=schedule.paused,
        next_at=None if schedule.paused else _utc(schedule.next_at),
        last_at=_utc(schedule.last_at),
        last_task_id=schedule.last_task_id,
        last_number=schedule.last_batchtask_id,
        last_state=None if schedule.last_state is None else word_of(schedule.last_state),
        note=schedule.note,
        noted_at=_utc(schedule.noted_at),
    )


def _utc(time: datetime | None) -> datetime | None:
    return time.astimezone(UTC) if time else None
