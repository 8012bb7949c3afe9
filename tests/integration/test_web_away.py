"""The modern API when what stands behind the web process is away: nothing is lost, and the answer says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx import Response
from litestar.testing import TestClient
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.identifiers import new_task_id
from batchtask.settings import Settings
from batchtask.udef.owners import OWNERS
from batchtask.udef.publishing import submitting
from batchtask.web.app import create_app
from tests.polling import eventually
from tests.system import System
from tests.web_support import by_header, calling, record

NOWHERE = "amqp://guest:guest@127.0.0.1:9/%2f"


@contextmanager
def impatient_app(amqp_url: str, database_url: str) -> Iterator[TestClient[Any]]:
    settings = Settings(amqp_url=amqp_url, database_url=database_url, submit_seconds=1)
    with TestClient(create_app(settings, authenticate=by_header)) as client:
        yield client


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def post(client: TestClient[Any], path: str, body: Any, **headers: str) -> Response:
    return client.post(f"/api/v2/{path}", json=body, headers=calling("admin") | headers)


Command = Callable[[str], tuple[str, Any]]


@pytest.mark.parametrize(
    "command",
    [
        lambda _: ("tasks", {"name": "sleep"}),
        lambda task: (f"tasks/{task}/cancel", {}),
        lambda task: ("bulk/cancel", {"ids": [task]}),
    ],
    ids=["submit", "cancel", "bulk cancel"],
)
def test_a_command_without_a_broker_is_to_be_sent_again(database_url: str, engine: Engine, command: Command) -> None:
    task_id = record(engine)
    with impatient_app(NOWHERE, database_url) as client:
        answer = post(client, *command(str(task_id)))
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"] == "5"
        assert "127.0.0.1" not in answer.text  # where servers are is nothing for users
        assert client.get(f"/api/v2/tasks/{task_id}", headers=calling("admin")).status_code == 200


def test_publishing_fields_can_be_tried_again_at_once_where_the_broker_was_away(
    database_url: str, engine: Engine
) -> None:
    agent, body = "/api/v1/Agents/UserDefinedFieldInfo", {"OwnerType": "Contact"}
    with impatient_app(NOWHERE, database_url) as client:
        assert client.post(f"{agent}/SetPublishStartSystemEvent", json=body, headers=calling("admin")).is_success
        for _ in range(2):
            answer = client.post(f"{agent}/Publish", json=body, headers=calling("admin"))
            assert answer.status_code == 503, answer.text
    with engine.begin() as connection:
        assert submitting(connection, OWNERS["contact"], new_task_id())


def test_a_submission_is_safe_while_the_projections_are_away(system: System, database_url: str) -> None:
    projections = system.projections()
    projections.wait_ready()
    projections.terminate()
    projections.exit_code()
    key = {"Idempotency-Key": "form-12"}
    with impatient_app(system.amqp_url, database_url) as client:
        # A broker that is busy may not answer an impatient application the first time: the key makes trying safe.
        eventually(lambda: post(client, "tasks", {"name": "sleep"}, **key).status_code == 202)
        first, again = (post(client, "tasks", {"name": "sleep"}, **key) for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 202), first.text
        assert first.json()["id"] == again.json()["id"]
        assert first.json()["detail"].startswith("The task is safe")
        location = first.headers["location"]
        assert client.get(location, headers=calling("admin")).status_code == 404
        system.projections().wait_ready()
        eventually(lambda: client.get(location, headers=calling("admin")).status_code == 200)
        assert len(client.get("/api/v2/tasks", headers=calling("admin")).json()["tasks"]) == 1
