"""Workers that are there, as administrators see them: who lives, who pauses, and what each has in hand.

What a worker runs is told by the streams, not by the worker: a task belongs to whoever began its last attempt. So it
is true of a dead worker, too: what it still holds, until the broker or the reconciler gives it to somebody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, true

from batchtask.database import database_errors
from batchtask.http.views import TaskView
from batchtask.identifiers import TaskId
from batchtask.pausing import EVERYBODY, key_of
from batchtask.tables import batchtask, event
from batchtask.tables_workers import pause, worker
from projections.rows import State
from projections.task_views import TaskViews

#: A worker that was not heard of for so long is taken to be dead: four of its signs of life are missing.
ALIVE_SECONDS = 20
#: The row of a dead worker is kept for so long.
REMEMBERED = timedelta(days=1)


class RunningTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that a worker has in hand."""

    task_id: UUID
    number: int
    name: str
    title: str
    owner_name: str
    started_at: datetime
    percent: int


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker process."""

    id: str  #: in paths: its name with colons for slashes
    name: str  #: `host/pid/boot`, as the attempts of tasks have it
    host: str
    pid: int
    version: str  #: of the software it runs
    started_at: datetime
    seen_at: datetime
    alive: bool  #: it was heard of a moment ago
    paused: bool  #: it shall take nothing new, as all others or for itself
    draining: bool  #: it was told to stop, and ends what it runs
    slots: int  #: tasks that it runs at a time
    running: list[RunningTask]  #: by the streams; of a dead worker: what nobody else has taken over yet


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """All workers that are there, or were a day ago; the living first."""

    workers: list[WorkerView]


is_alive: ColumnElement[bool] = worker.c.seen_at > func.clock_timestamp() - timedelta(seconds=ALIVE_SECONDS)
_is_paused = select(pause.c.scope).where(pause.c.scope.in_([EVERYBODY, worker.c.id])).exists()
_WORKERS = select(worker, is_alive.label("alive"), _is_paused.label("paused")).order_by(
    is_alive.desc(), worker.c.host, worker.c.started_at
)

_attempt = (
    select(event.c.occurred_at, event.c.data["worker"].astext.label("worker"))
    .where(event.c.task_id == batchtask.c.task_id, event.c.type == "AttemptStarted")
    .order_by(event.c.version.desc())
    .limit(1)
    .lateral("attempt")
)
_IN_HAND = (
    select(batchtask.c.task_id, _attempt.c.worker, _attempt.c.occurred_at)
    .join_from(batchtask, _attempt, true())
    .where(batchtask.c.state == State.Started)
    .order_by(batchtask.c.batchtask_id)
)


def read_workers(engine: Engine, task_views: TaskViews) -> Workers:
    """Return all workers and what they have in hand; costs some 30 µs for each running task.

    Raises:
        StoreUnavailable: Ask again.
    """
    with database_errors(), engine.connect() as connection:
        rows = connection.execute(_WORKERS).mappings().all()
        in_hand = connection.execute(_IN_HAND).all()
    views = {view.id: view for view in task_views.some([TaskId(row.task_id) for row in in_hand])}
    running: defaultdict[str, list[RunningTask]] = defaultdict(list)
    for row in in_hand:
        if (view := views.get(row.task_id)) is not None:
            running[row.worker].append(_running(view, row.occurred_at))
    return Workers(workers=[_worker(row, running[row["id"]]) for row in rows])


def forget_gone(engine: Engine) -> None:
    """Remove workers that died a day ago, and pauses of workers that are not there any more.

    Raises:
        StoreUnavailable: Come again.
    """
    nobody = ~select(worker.c.id).where(worker.c.id == pause.c.scope).exists()
    with database_errors(), engine.begin() as connection:
        connection.execute(delete(worker).where(worker.c.seen_at < func.now() - REMEMBERED))
        connection.execute(delete(pause).where(pause.c.scope != EVERYBODY, nobody))


def count_slots(connection: Connection) -> tuple[int, int, int]:
    """Return how many workers are alive, how many slots they have, and in how many of these something runs."""
    query = select(
        func.count(), func.coalesce(func.sum(worker.c.slots), 0), func.coalesce(func.sum(worker.c.running), 0)
    )
    alive, slots, busy = connection.execute(query.where(is_alive)).one()
    return alive, slots, busy


def _running(view: TaskView, started_at: datetime) -> RunningTask:
    return RunningTask(
        task_id=view.id,
        number=view.number,
        name=view.name,
        title=view.title,
        owner_name=view.owner_name,
        started_at=started_at.astimezone(UTC),
        percent=view.percent,
    )


def _worker(row: Mapping[Any, Any], running: list[RunningTask]) -> WorkerView:
    known = {name: row[name] for name in ("host", "pid", "version", "slots", "draining", "alive", "paused")}
    return WorkerView(
        id=key_of(row["id"]),
        name=row["id"],
        started_at=row["started_at"].astimezone(UTC),
        seen_at=row["seen_at"].astimezone(UTC),
        running=running,
        **known,
    )
