"""Reading tasks through the modern API: who sees what, and what it looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.definitions import CancellationBehaviour
from batchtask.events import (
    AttemptStarted,
    CancelRequested,
    ProgressReported,
    TaskCancelled,
    TaskFailed,
    TaskSucceeded,
)
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from tests.web_support import KARI, OLA, calling, record, running_app

STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")
CANCELLED = (CancelRequested(requested_by=KARI), TaskCancelled(requested_by=KARI))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(amqp_url: str, database_url: str) -> Iterator[TestClient[Any]]:
    with running_app(amqp_url, database_url) as client:
        yield client


def listed(client: TestClient[Any], who: str, **query: Any) -> list[str]:
    answer = client.get("/api/v2/tasks", params=query, headers=calling(who))
    assert answer.status_code == 200, answer.text
    return [task["id"] for task in answer.json()["tasks"]]


def text(task_id: TaskId) -> str:
    return str(task_id)


def test_nobody_is_answered_without_saying_who_they_are(client: TestClient[Any]) -> None:
    answer = client.get("/api/v2/tasks")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "say who you are in X-Caller"


def test_a_user_sees_their_own_tasks_and_an_administrator_all(client: TestClient[Any], engine: Engine) -> None:
    karis, olas, systems = record(engine), record(engine, owner=OLA), record(engine, owner=0)
    assert listed(client, "kari") == [text(karis)]
    assert listed(client, "admin", owner="all") == [text(systems), text(olas), text(karis)]
    assert listed(client, "admin", owner=OLA) == [text(olas)]
    for owner in ("all", "0", str(OLA)):
        assert client.get("/api/v2/tasks", params={"owner": owner}, headers=calling("kari")).status_code == 403
    for hidden in (olas, systems):
        assert client.get(f"/api/v2/tasks/{hidden}", headers=calling("kari")).status_code == 404
        assert client.get(f"/api/v2/tasks/{hidden}", headers=calling("admin")).status_code == 200


def test_a_task_looks_like_its_row(client: TestClient[Any], engine: Engine) -> None:
    task_id = record(
        engine, STARTED, ProgressReported(fence=1, percent=40, text="Merging 96 of 240"), name="mail-merge",
        cancellation=CancellationBehaviour.CancelWithWarning,
    )  # fmt: skip
    seen = client.get(f"/api/v2/tasks/{task_id}", headers=calling("kari")).json()
    assert seen["submitted_at"].endswith("Z")
    assert seen["started_at"].endswith("Z")
    expected = {
        "id": text(task_id), "name": "mail-merge", "title": "Mail merge", "owner": KARI, "state": "started",
        "percent": 40, "progress": "Merging 96 of 240", "attempts": 1, "version": 2, "cancellation": "warning",
        "cancellation_warning": "What is already done stays done. Cancel it all the same?", "file_name": None,
    }  # fmt: skip
    assert {name: seen[name] for name in expected} == expected
    assert client.get(f"/api/v2/tasks/{seen['number']}", headers=calling("kari")).json() == seen


def test_a_running_task_that_was_asked_to_stop_says_so(client: TestClient[Any], engine: Engine) -> None:
    running, waiting = record(engine, STARTED), record(engine)
    stopping = record(engine, STARTED, CancelRequested(requested_by=KARI))
    stopped = record(engine, STARTED, CancelRequested(requested_by=KARI), TaskCancelled(requested_by=KARI))
    tasks = client.get("/api/v2/tasks", headers=calling("kari")).json()["tasks"]
    seen = {task["id"]: (task["state"], task["stopping"]) for task in tasks}
    assert [seen[text(one)] for one in (running, waiting, stopping, stopped)] == [
        ("started", False), ("waiting", False), ("started", True), ("cancelled", False),
    ]  # fmt: skip


def test_a_cancelled_task_is_told_from_a_failed_one(client: TestClient[Any], engine: Engine) -> None:
    failed = record(engine, STARTED, TaskFailed(cause=Cause.ERROR, message="It broke."))
    cancelled = record(engine, *CANCELLED)
    done = record(engine, STARTED, TaskSucceeded(fence=1, response="Done."))
    waiting = record(engine)
    assert listed(client, "kari", state="failed") == [text(failed)]
    assert listed(client, "kari", state="cancelled") == [text(cancelled)]
    assert listed(client, "kari", state=["cancelled", "failed"]) == [text(cancelled), text(failed)]
    assert listed(client, "kari", state=["waiting", "succeeded"]) == [text(waiting), text(done)]


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nothing", "/tasks/1/nothing", "/operations/x", "/pages/nothing.css", "/apis"])
def test_a_browser_is_shown_a_page_where_there_is_nothing_and_a_program_gets_the_problem(
    client: TestClient[Any], path: str
) -> None:
    page = client.get(path, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in page.text
    assert "{root}" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for accept in ("*/*", "application/json", "text/html, application/json"):
        answer = client.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert answer.json()["detail"].startswith("there is nothing at this address")


@pytest.mark.parametrize("path", ["/api/nothing", "/api/v2/nothing", "/API/V1/nothing", "/api/v1/BatchTask/1/Start"])
def test_below_the_apis_a_browser_gets_the_problem_too(client: TestClient[Any], path: str) -> None:
    answer = client.get(path, headers=BROWSER | calling("kari"))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_pages_follow_one_another_without_gap_or_repetition(client: TestClient[Any], engine: Engine) -> None:
    tasks = [text(record(engine)) for _ in range(5)]
    seen: list[str] = []
    before: dict[str, int] = {}
    while True:
        page = client.get("/api/v2/tasks", params={"limit": 2} | before, headers=calling("kari")).json()
        seen += [task["id"] for task in page["tasks"]]
        if page["next_before"] is None:
            break
        before = {"before": page["next_before"]}
    assert seen == tasks[::-1]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/api/v2/tasks/abc", 400, "'abc' is neither a task id nor a task number"),
        (
            "/api/v2/tasks/99999999999",
            404,
            "there is no task 99999999999 that you may see: check the id; /api/v2/tasks lists yours",
        ),
        ("/api/v2/tasks?limit=0", 400, "query limit: Expected `int` >= 1"),
        ("/api/v2/tasks?state=asleep", 400, "query state: Invalid enum value 'asleep'"),
        ("/api/v2/tasks?owner=kari", 400, None),
        ("/api/v2/tasks?owner=99999999999999", 403, None),
        ("/api/v2/nothing", 404, "there is nothing at this address: /api/openapi.json lists all that there is"),
        (
            "/api/v2/tasks?sate=failed",
            400,
            "query 'sate' is not known here; known: before, limit, name, owner, state",
        ),
        ("/api/v2/me?x=1", 400, "query 'x' is not known here; known: nothing"),
    ],
)
def test_what_cannot_be_answered_gets_one_sentence(
    client: TestClient[Any], path: str, status: int, detail: str | None
) -> None:
    answer = client.get(path, headers=calling("kari"))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail is None or answer.json()["detail"] == detail


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200), ("text/json, application/xml", 200), ("*/*;q=0.1", 200), ("", 200),
        ("application/xml", 406), ("application/json;q=0", 406), ("text/html", 406),
    ],
)  # fmt: skip
def test_the_api_speaks_json_only(client: TestClient[Any], accept: str, status: int) -> None:
    answer = client.get("/api/v2/me", headers=calling("kari") | {"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert "JSON only" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v2/tasks", "/api/v2/nothing", "/api/openapi.json", "/api/v1/BatchTask"])
def test_answers_are_kept_nowhere_and_are_what_they_say(client: TestClient[Any], path: str) -> None:
    headers = client.get(path, headers=calling("kari")).headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_a_method_that_is_not_there_is_told_with_those_that_are(client: TestClient[Any]) -> None:
    answer = client.put("/api/v2/tasks", headers=calling("kari"))
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    for words in ("PUT is not done at this address: send ", "GET", "POST", "HEAD"):
        assert words in answer.json()["detail"]


def test_head_is_answered_as_get_without_a_body_but_for_streams(client: TestClient[Any], engine: Engine) -> None:
    path = f"/api/v2/tasks/{record(engine)}"
    asked, head = client.get(path, headers=calling("kari")), client.head(path, headers=calling("kari"))
    assert (head.status_code, head.content, head.headers) == (200, b"", asked.headers)
    assert client.head(path, headers=calling("ola")).status_code == 404
    assert client.head(path).status_code == 401
    assert client.head("/api/v2/live", headers=calling("kari")).status_code == 405


def test_the_openapi_document_is_served(client: TestClient[Any]) -> None:
    document = client.get("/api/openapi.json").json()
    assert "/api/v2/tasks/{key}" in document["paths"]
