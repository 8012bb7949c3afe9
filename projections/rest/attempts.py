"""The attempts of a task and what it logged, through the modern API."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy import Engine

from batchtask.http.callers import Caller
from batchtask.http.keys import Key
from batchtask.http.readable import LARGEST_INTEGER, visible_task
from batchtask.identifiers import TaskId
from batchtask.store import EventStore
from projections.attempts import Attempt, attempts_of
from projections.queries import LoggedLine, Queries
from projections.task_views import TaskViews

LARGEST_PAGE = 1000
#: Lines told together with the attempts; the log has them all.
MOST_LINES = 200
#: Of a running task there may be thousands, and none of them begins or ends an attempt.
_SIGNS_OF_LIFE = ("HeartbeatRecorded", "ProgressReported", "CheckpointSaved")
_OUTCOMES = {
    "running": None,
    "failed: memory": "out-of-memory",
    "time limit": "timed-out",
    "stopped": "cancelled",
    "stopped by force": "cancelled",
    "cut off": "cut-off",
}

AfterLine = Annotated[
    int, QueryParameter(ge=0, le=LARGEST_INTEGER, description="Leave out so many: the lines that were read before.")
]
LineLimit = Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="At most so many.")]


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a task logged."""

    attempt: int
    logged_at: datetime
    level: str  #: debug, info, warning, error or critical
    text: str


class LinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some lines, oldest first."""

    lines: list[LineView]
    next_after: int | None  #: ask for the next page with `after` of this; None = these are the last by now


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One try: who made it, how long it took, what came of it."""

    attempt: int  #: from 1; those that were interrupted do not count, and a replay begins at 1 again
    fence: int  #: rises with every attempt there ever was
    worker: str  #: `host/process/boot id`
    started_at: datetime
    ended_at: datetime | None  #: None = it runs
    #: succeeded, failed, timed-out, out-of-memory, lost, interrupted, snoozed, passed, cancelled or cut-off
    outcome: str | None
    message: str  #: one sentence
    detail: str  #: traceback, or how the process ended; for administrators only
    log: list[LineView]  #: its first lines


class AttemptList(msgspec.Struct, frozen=True, kw_only=True):
    """All attempts, oldest first."""

    attempts: list[AttemptView]


class AttemptReads(Controller):
    """How a task was tried."""

    path = "/api/v2"
    tags = ("tasks",)

    @get("/tasks/{key:str}/attempts", sync_to_thread=True)
    def attempts(
        self,
        caller: NamedDependency[Caller],
        engine: NamedDependency[Engine],
        queries: NamedDependency[Queries],
        task_views: NamedDependency[TaskViews],
        key: Key,
    ) -> AttemptList:
        """Tell every attempt with its outcome and its first log lines; tracebacks to administrators only."""
        task_id = TaskId(visible_task(caller, task_views, key).id)
        history = EventStore(engine).page(task_id, without=_SIGNS_OF_LIFE)
        attempts = attempts_of(history, queries.log(task_id, limit=MOST_LINES))
        return AttemptList(attempts=[_view(attempt, administrator=caller.administrator) for attempt in attempts])

    @get("/tasks/{key:str}/log", sync_to_thread=True)
    def log(
        self,
        *,
        caller: NamedDependency[Caller],
        queries: NamedDependency[Queries],
        task_views: NamedDependency[TaskViews],
        key: Key,
        after: AfterLine = 0,
        limit: LineLimit = LARGEST_PAGE,
    ) -> LinePage:
        """Show the lines that a task logged, of all attempts, oldest first."""
        task_id = TaskId(visible_task(caller, task_views, key).id)
        found = queries.log(task_id, after=after, limit=limit + 1)
        page = [_line(line) for line in found[:limit]]
        return LinePage(lines=page, next_after=after + limit if len(found) > limit else None)


def _view(attempt: Attempt, *, administrator: bool) -> AttemptView:
    return AttemptView(
        attempt=attempt.attempt,
        fence=attempt.fence,
        worker=attempt.worker,
        started_at=attempt.started_at.astimezone(UTC),
        ended_at=attempt.ended_at.astimezone(UTC) if attempt.ended_at else None,
        outcome=_outcome(attempt.outcome),
        message=attempt.message,
        detail=attempt.detail if administrator else "",
        log=[_line(line) for line in attempt.log],
    )


def _outcome(told: str) -> str | None:
    """The outcome as one word, for programs; `projections.attempts` tells it to people."""
    return _OUTCOMES.get(told, told.partition(":")[0])


def _line(line: LoggedLine) -> LineView:
    return LineView(
        attempt=line.attempt, logged_at=line.logged_at.astimezone(UTC), level=level_word(line.level), text=line.text
    )


def level_word(level: int) -> str:
    """Name a level of Python's logging; one in between goes by the name below it."""
    known = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO)
    least = next((least for least in known if level >= least), logging.DEBUG)
    return logging.getLevelName(least).lower()
