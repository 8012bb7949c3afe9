"""What happened to a task, through the modern API: events, attempts, log lines, parameters, the result file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from litestar.testing import TestClient
from sqlalchemy import Engine, insert

from batchtask.database import make_engine
from batchtask.events import (
    AttemptFailed,
    AttemptStarted,
    AttemptTimedOut,
    CheckpointSaved,
    HeartbeatRecorded,
    ProgressReported,
    RetryScheduled,
    TaskFailed,
    TaskReplayed,
    TaskSucceeded,
)
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from batchtask.payloads import PayloadStore
from batchtask.tables import log_line
from tests.web_support import OLA, calling, record, running_app

NOW = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
STARTED = AttemptStarted(attempt=1, fence=1, worker="web1/12/boot", delivery_id="d")
FAILED = AttemptFailed(
    fence=1, cause=Cause.ERROR, message="No such selection.", detail="Traceback (most recent call)"
)
RETRY = RetryScheduled(due_at=NOW, cause=Cause.ERROR, failures=1)
AGAIN = AttemptStarted(attempt=2, fence=2, worker="web2/13/boot", delivery_id="d")
NOT_ENDED = "the task has not ended yet; its file can be fetched once its state is `succeeded`"
SAVED = CheckpointSaved(fence=2, data={"token": "s3cret"})

Borrow = Callable[[], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def database(databases: Borrow) -> Iterator[str]:
    with databases() as url:
        yield url


@pytest.fixture(scope="module")
def engine(database: str) -> Iterator[Engine]:
    engine = make_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def client(virtual_hosts: Borrow, database: str, folder: Path) -> Iterator[TestClient[Any]]:
    with (
        virtual_hosts() as amqp_url,
        running_app(amqp_url, database, files_dir=folder / "files", payload_url=str(folder / "payloads")) as client,
    ):
        yield client


def get(client: TestClient[Any], task_id: TaskId, what: str, who: str = "kari", **query: Any) -> Response:
    return client.get(f"/api/v2/tasks/{task_id}/{what}", params=query, headers=calling(who))


def log(engine: Engine, task_id: TaskId, *lines: str, attempt: int = 1, level: int = logging.INFO) -> None:
    rows = [
        {"task_id": task_id, "attempt": attempt, "logged_at": datetime.now(UTC), "level": level, "text": line}
        for line in lines
    ]
    with engine.begin() as connection:
        connection.execute(insert(log_line), rows)


def made(folder: Path, engine: Engine, name: str, content: bytes | None, **task: Any) -> TaskId:
    """Record a task that succeeded with a file."""
    task_id = record(engine, STARTED, TaskSucceeded(fence=1, file_name=f"/srv/files/{name}"), **task)
    if content is not None:
        place = folder / "files" / str(task_id)
        place.mkdir(parents=True)
        (place / name).write_bytes(content)
    return task_id


def test_events_are_told_in_order_in_plain_words(client: TestClient[Any], engine: Engine) -> None:
    task_id = record(engine, STARTED, FAILED, RETRY, AGAIN, SAVED, TaskSucceeded(fence=2, response="240 letters."))
    answer = get(client, task_id, "events").json()
    assert [event["version"] for event in answer["events"]] == [0, 1, 2, 3, 4, 5, 6]
    assert [event["text"] for event in answer["events"]] == [
        "Submitted by user 7.",
        "Attempt 1 started on host web1.",
        "The attempt failed: No such selection.",
        "The next attempt is due at 2026-03-01 07:00:00 UTC, because it failed.",
        "Attempt 2 started on host web2.",
        "Kept how far it is.",
        "Succeeded: 240 letters.",
    ]
    assert answer["next_after"] is None
    assert all(event["occurred_at"].endswith("Z") for event in answer["events"])


def test_tracebacks_and_checkpoints_are_for_administrators(client: TestClient[Any], engine: Engine) -> None:
    task_id = record(engine, STARTED, FAILED, RETRY, AGAIN, SAVED, parameters={"password": "hush"})
    owners, administrators = (get(client, task_id, "events", who).text for who in ("kari", "admin"))
    for text in ("Traceback", "s3cret"):
        assert text not in owners
        assert text in administrators
    assert "hush" not in owners + administrators
    for who, seen in (("kari", ""), ("admin", FAILED.detail)):
        assert get(client, task_id, "attempts", who).json()["attempts"][0]["detail"] == seen


def test_long_histories_come_in_pages_and_heartbeats_only_if_asked_for(
    client: TestClient[Any], engine: Engine
) -> None:
    beats = [HeartbeatRecorded(fence=1)] * 20
    steps = [ProgressReported(fence=1, percent=percent) for percent in range(50)]
    task_id = record(engine, STARTED, *beats, *steps)
    versions: list[int] = []
    after: dict[str, int] = {}
    while True:
        page = get(client, task_id, "events", limit=7, **after).json()
        assert len(page["events"]) <= 7
        versions += [event["version"] for event in page["events"]]
        if page["next_after"] is None:
            break
        after = {"after": page["next_after"]}
    assert versions == [0, 1, *range(22, 72)]
    everything = get(client, task_id, "events", heartbeats="true").json()["events"]
    assert len(everything) == 72


def test_attempts_say_how_each_try_ended_and_what_it_logged(client: TestClient[Any], engine: Engine) -> None:
    ends = [AttemptTimedOut(fence=2, limit_seconds=5), TaskFailed(cause=Cause.TIME_LIMIT, message="Too slow.")]
    task_id = record(engine, STARTED, FAILED, RETRY, AGAIN, *ends)
    log(engine, task_id, "first try")
    log(engine, task_id, "second try", attempt=2, level=logging.ERROR)
    attempts = get(client, task_id, "attempts").json()["attempts"]
    assert [(one["attempt"], one["outcome"], one["message"]) for one in attempts] == [
        (1, "failed", "No such selection."),
        (2, "timed-out", "Ran longer than its limit of 5 s."),
    ]
    assert [[line["text"] for line in one["log"]] for one in attempts] == [["first try"], ["second try"]]
    assert attempts[1]["log"][0]["level"] == "error"


def test_an_attempt_that_runs_has_no_outcome_and_no_end(client: TestClient[Any], engine: Engine) -> None:
    attempt = get(client, record(engine, STARTED), "attempts").json()["attempts"][0]
    assert (attempt["outcome"], attempt["ended_at"]) == (None, None)


def test_log_lines_are_read_on_from_where_the_last_reading_ended(client: TestClient[Any], engine: Engine) -> None:
    task_id = record(engine, STARTED)
    log(engine, task_id, *(f"line {number}" for number in range(5)))
    first = get(client, task_id, "log", limit=3).json()
    assert ([line["text"] for line in first["lines"]], first["next_after"]) == (["line 0", "line 1", "line 2"], 3)
    rest = get(client, task_id, "log", after=first["next_after"]).json()
    assert ([line["text"] for line in rest["lines"]], rest["next_after"]) == (["line 3", "line 4"], None)
    log(engine, task_id, "news")
    assert [line["text"] for line in get(client, task_id, "log", after=5).json()["lines"]] == ["news"]


def test_parameters_are_those_of_the_last_replay(client: TestClient[Any], engine: Engine) -> None:
    dead = [STARTED, TaskFailed(cause=Cause.ERROR, message="No.")]
    task_id = record(
        engine, *dead, TaskReplayed(requested_by=9, due_at=NOW, parameters={"rows": 2}), parameters={"rows": 1}
    )
    assert get(client, task_id, "parameters").json() == {"rows": 2}


def test_large_parameters_are_fetched_from_the_payload_store(
    client: TestClient[Any], engine: Engine, folder: Path
) -> None:
    large = {"text": "x" * 70_000}
    reference = PayloadStore(str(folder / "payloads")).place(TaskId(record(engine)), large)[1]
    assert reference is not None
    task_id = record(engine, payload_ref=reference)
    assert get(client, task_id, "parameters").json() == large
    Path(reference).unlink()
    assert get(client, task_id, "parameters").status_code == 410
    outside = get(client, record(engine, payload_ref="/etc/passwd"), "parameters")
    assert outside.status_code == 410
    assert "/etc/passwd" not in outside.text


@pytest.mark.parametrize("name", ["letters.pdf", "Brev til Bjørn æøå.pdf", "报告 2026.pdf"])
def test_a_result_file_is_downloaded_under_its_name(
    client: TestClient[Any], engine: Engine, folder: Path, name: str
) -> None:
    content = b"%PDF" + bytes(700_000)
    answer = get(client, made(folder, engine, name, content), "file")
    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_download_may_ask_for_any_type(client: TestClient[Any], engine: Engine, folder: Path) -> None:
    task_id = made(folder, engine, "a.pdf", b"%PDF")
    answer = client.get(f"/api/v2/tasks/{task_id}/file", headers=calling("kari") | {"Accept": "text/html"})
    assert answer.status_code == 200


def test_what_cannot_be_downloaded_is_told_in_a_sentence(
    client: TestClient[Any], engine: Engine, folder: Path
) -> None:
    cases = {
        record(engine, STARTED): (409, NOT_ENDED),
        record(engine, STARTED, TaskSucceeded(fence=1)): (404, "this task made no file"),
        record(engine, STARTED, TaskFailed(cause=Cause.ERROR, message="No.")): (404, "this task made no file"),
        made(folder, engine, "a.pdf", None): (
            410, "the file 'a.pdf' is no longer there; submit the task again to make a new one",
        ),
        record(engine, STARTED, TaskSucceeded(fence=1, file_name="https://files.example/a.pdf")): (
            410, "the file is not kept here; the task put it at https://files.example/a.pdf",
        ),
    }  # fmt: skip
    for task_id, expected in cases.items():
        answer = get(client, task_id, "file")
        assert (answer.status_code, answer.json()["detail"]) == expected
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_file_name_too_long_for_the_row_is_found_all_the_same(
    client: TestClient[Any], engine: Engine, folder: Path
) -> None:
    name = f"{'ø' * 100}.pdf"
    task_id = record(engine, STARTED, TaskSucceeded(fence=1, file_name=f"/srv/{'deep/' * 50}{name}"))
    (folder / "files" / str(task_id)).mkdir(parents=True)
    (folder / "files" / str(task_id) / name).write_bytes(b"here")
    assert get(client, task_id, "file").content == b"here"


@pytest.mark.parametrize("what", ["events", "attempts", "log", "parameters", "file"])
@pytest.mark.parametrize(("who", "owner", "seen"), [
    ("kari", 7, True), ("kari", OLA, False), ("kari", 0, False), ("admin", 7, True), ("admin", 0, True),
])  # fmt: skip
def test_what_belongs_to_a_task_is_seen_by_whoever_may_see_the_task(
    *, client: TestClient[Any], engine: Engine, folder: Path, what: str, who: str, owner: int, seen: bool
) -> None:
    task_id = made(folder, engine, "a.pdf", b"%PDF", owner=owner)
    answer = get(client, task_id, what, who)
    assert answer.status_code == (200 if seen else 404)
    if not seen:
        assert answer.json()["detail"].startswith(f"there is no task {task_id} ")


@pytest.mark.parametrize("query", [
    "events?after=-1", "events?after=2147483648", "events?limit=0", "events?limit=1001", "events?heartbeats=perhaps",
    "log?after=-1", "log?after=99999999999999999999", "log?limit=x", "log?after=%00",
])  # fmt: skip
def test_numbers_out_of_range_are_refused_in_a_sentence(client: TestClient[Any], engine: Engine, query: str) -> None:
    answer = client.get(f"/api/v2/tasks/{record(engine)}/{query}", headers=calling("kari"))
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("query ")


def test_definitions_are_listed_with_the_schema_of_their_parameters(client: TestClient[Any]) -> None:
    definitions = client.get("/api/v2/definitions", headers=calling("kari")).json()["definitions"]
    names = [definition["name"] for definition in definitions]
    assert names == sorted(names)
    sleep = definitions[names.index("sleep")]
    assert (sleep["cancellation"], sleep["timeout"]) == ("can", 600)
    schema = sleep["parameters_schema"]
    assert schema["$defs"]["Sleep"]["properties"]["seconds"] == {
        "type": "number", "minimum": 0, "maximum": 86400, "default": 10.0,
    }  # fmt: skip
