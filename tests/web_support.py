"""The web application in the test's own process, called by whoever the test says, over tasks that it recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from litestar.connection import ASGIConnection
from litestar.testing import TestClient
from sqlalchemy import Engine

from batchtask.events import Event, TaskSubmitted
from batchtask.http.callers import Caller
from batchtask.http.problems import NotAuthenticated
from batchtask.identifiers import TaskId, new_task_id
from batchtask.settings import Settings
from batchtask.store import Append, EventStore
from batchtask.web.app import create_app
from projections.projector import Projector

KARI, OLA, ADMIN = 7, 8, 9
_CALLERS = {
    "kari": Caller(associate_id=KARI, name="kari"),
    "ola": Caller(associate_id=OLA, name="ola"),
    "admin": Caller(associate_id=ADMIN, name="admin", administrator=True),
}


async def by_header(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Take the caller to be whom a header names, as an application around ours might."""
    try:
        return _CALLERS[connection.headers.get("x-caller", "")]
    except KeyError:
        raise NotAuthenticated("say who you are in X-Caller") from None


def calling(name: str) -> dict[str, str]:
    """Headers of a request that `kari`, `ola` or `admin` makes."""
    return {"X-Caller": name}


@contextmanager
def running_app(amqp_url: str, database_url: str, **settings: Any) -> Iterator[TestClient[Any]]:
    """Run the application for as long as the context lasts, without a socket."""
    app = create_app(
        Settings(amqp_url=amqp_url, database_url=database_url, submit_seconds=20, **settings), authenticate=by_header
    )
    with TestClient(app) as client:
        yield client


def record(engine: Engine, *events: Event, owner: int = KARI, name: str = "sleep", **submitted: Any) -> TaskId:
    """Record a task's stream, from its submission on, and project it; return its id."""
    task_id = new_task_id()
    first = TaskSubmitted(name=name, owner=owner, **submitted)
    append(engine, task_id, [first, *events], after=-1)
    return task_id


def append(engine: Engine, task_id: TaskId, events: Sequence[Event], *, after: int) -> None:
    """Append events behind a version, and project them."""
    appended = EventStore(engine).append(Append(task_id, after, events, datetime.now(UTC)))
    Projector(engine).project(appended)
