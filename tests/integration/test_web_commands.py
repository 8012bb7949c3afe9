"""Commands through the modern API, before a real broker: submit, cancel, replay, many at once, schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from batchtask.definitions import CancellationBehaviour
from batchtask.events import AttemptStarted, CancelRequested, TaskCancelled, TaskFailed, TaskReplayed, TaskSucceeded
from batchtask.identifiers import TaskId
from batchtask.outcomes import Cause
from tests.polling import eventually
from tests.web_support import ADMIN, KARI, OLA, record
from tests.web_system import WebSystem, web_system

STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")
FAILED = (STARTED, TaskFailed(cause=Cause.ERROR, message="It broke."))
STOPPED = (CancelRequested(requested_by=KARI), TaskCancelled(requested_by=KARI))
SLEEP = {"name": "sleep", "parameters": {"seconds": 0.1}}
CANNOT = int(CancellationBehaviour.CannotCancel)

Borrow = Callable[[], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def web(virtual_hosts: Borrow, databases: Borrow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSystem]:
    with web_system(virtual_hosts, databases, tmp_path_factory.mktemp("web")) as web:
        yield web


def state(web: WebSystem, task_id: TaskId | str) -> str:
    return str(web.get("admin", f"tasks/{task_id}").json()["state"])


def test_a_submission_answers_the_task_as_it_can_be_read(web: WebSystem) -> None:
    answer = web.post("kari", "tasks", SLEEP | {"description": "A nap"})
    assert answer.status_code == 201, answer.text
    task = answer.json()
    assert (task["name"], task["title"], task["owner"], task["state"]) == ("sleep", "A nap", KARI, "waiting")
    assert answer.headers["location"] == f"/api/v2/tasks/{task['id']}"
    assert web.client.get(answer.headers["location"], headers={"X-Caller": "kari"}).json() == task
    assert web.get("kari", f"tasks/{task['id']}/parameters").json() == {"seconds": 0.1}


def test_a_submission_for_later_says_when_it_starts(web: WebSystem) -> None:
    delayed = web.post("kari", "tasks", SLEEP | {"delay_seconds": 3600}).json()
    assert delayed["due_at"] > datetime.now(UTC).isoformat()
    at = web.post("kari", "tasks", SLEEP | {"start_at": "2030-01-01T08:00:00+01:00"}).json()
    assert at["due_at"] == "2030-01-01T07:00:00Z"


def test_a_key_sent_again_answers_the_same_task(web: WebSystem) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    for body in (SLEEP, SLEEP | {"delay_seconds": 60.5}, SLEEP | {"start_at": "2030-01-01T08:00:00Z"}):
        key = {"Idempotency-Key": f'"{uuid4()}"'}
        first, again = web.post("kari", "tasks", body, **key), web.post("kari", "tasks", body, **key)
        assert (first.status_code, again.status_code) == (201, 200), again.text
        assert first.json()["id"] == again.json()["id"]
    assert web.post("ola", "tasks", SLEEP, **key).status_code == 201  # another's key is another key


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"seconds": 0.2}}, {"description": "Other"}, {"delay_seconds": 60},
        {"name": "noop", "parameters": {}},
        {"start_at": "2030-01-01T00:00:00Z"},
    ],
)  # fmt: skip
def test_a_key_for_something_else_is_refused(web: WebSystem, change: dict[str, Any]) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    assert web.post("kari", "tasks", SLEEP, **key).status_code == 201
    refused = web.post("kari", "tasks", SLEEP | change, **key)
    assert refused.status_code == 422
    assert "use a new key" in refused.json()["detail"]


def test_a_key_sent_ten_times_at_once_makes_one_task(web: WebSystem) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: web.post("kari", "tasks", SLEEP, **key), range(10)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "tab\there"])
def test_what_is_no_key_is_refused(web: WebSystem, key: str) -> None:
    refused = web.post("kari", "tasks", SLEEP, **{"Idempotency-Key": key})
    assert refused.status_code == 400
    assert "Idempotency-Key" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("who", "owner", "status"),
    [
        ("kari", None, 201), ("kari", KARI, 201), ("kari", OLA, 403), ("kari", 0, 403),
        ("admin", None, 201), ("admin", KARI, 201), ("admin", 0, 201),
    ],
)  # fmt: skip
def test_users_submit_for_themselves_and_administrators_for_anybody(
    web: WebSystem, who: str, owner: int | None, status: int
) -> None:
    answer = web.post(who, "tasks", SLEEP | {"owner": owner})
    assert answer.status_code == status
    if status == 201:
        assert answer.json()["owner"] == (owner if owner is not None else {"kari": KARI, "admin": ADMIN}[who])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "nothing"}, "unknown task 'nothing'"),
        ({"name": "sleep", "parameters": {"seconds": "long"}}, "parameters of task 'sleep' do not fit"),
        ({"name": "sleep", "parameters": {"second": 1}}, "second"),
        ({"name": "sleep", "parameters": []}, "Expected `object`"),
        ({"name": "sleep", "parameter": {}}, "parameter"),
        ({"name": "sleep", "delay_seconds": -1}, "`delay_seconds` must be a number, 0 or more"),
        ({"name": "sleep", "delay_seconds": 1e300}, "too long"),
        ({"name": "sleep", "delay_seconds": 1, "start_at": "2030-01-01T00:00:00Z"}, "exclude each other"),
        ({"name": "sleep", "start_at": "2030-01-01T00:00:00"}, "time zone"),
        ({"name": "sleep", "start_at": "tomorrow"}, "start_at"),
        ({"name": "sleep", "owner": 2**31}, "owner"),
        ({"name": "sleep", "owner": -1}, "owner"),
        ({"name": "sleep", "description": "a\0b"}, "NUL"),
        ({"name": "sl\0eep"}, "name"),
        ({}, "name"),
        ([], "Expected `object`"),
        (None, ""),
        ("sleep", "Expected `object`"),
    ],
)
def test_what_cannot_be_submitted_is_refused_in_a_sentence(web: WebSystem, body: Any, words: str) -> None:
    refused = web.post("kari", "tasks", body)
    assert refused.status_code == 400, refused.text
    assert words in refused.json()["detail"]


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400), (b"\xff\xfe", "application/json", 400), (b"", "application/json", 400),
        (b"name=sleep", "application/x-www-form-urlencoded", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name":"sleep","description":"' + b"x" * 1_000_000 + b'"}', "application/json", 400),
        (b'{"name":"sleep","parameters":{"response":"' + b"x" * 100_000 + b'"}}', "application/json", 413),
    ],
)  # fmt: skip
def test_bodies_that_are_no_submission_are_refused(
    web: WebSystem, content: bytes, content_type: str, status: int
) -> None:
    headers = {"X-Caller": "kari", "Content-Type": content_type}
    refused = web.client.post("/api/v2/tasks", content=content, headers=headers)
    assert refused.status_code == status, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert len(refused.json()["detail"]) < 500


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "there is no body: send a JSON object"),
        (b"{", "the body cannot be read as JSON: "),
        (b'{"name": "sleep", "nmae": 1}', "body: Object contains unknown field `nmae`"),
        (b" " * 11_000_000, "the body has more than the 10000000 bytes that are taken here: send less"),
    ],
    ids=["none", "cut", "unknown field", "too long"],
)
def test_a_body_that_does_not_do_is_told_what_would(web: WebSystem, content: bytes, words: str) -> None:
    refused = web.client.post("/api/v2/tasks", content=content, headers={"X-Caller": "kari"})
    assert refused.json()["detail"].startswith(words)


def test_json_is_read_whatever_its_type_is_said_to_be(web: WebSystem) -> None:
    headers = {"X-Caller": "kari", "Content-Type": "application/x-www-form-urlencoded"}  # as `curl -d` sends it
    assert web.client.post("/api/v2/tasks", content=b'{"name":"sleep"}', headers=headers).status_code == 201


def test_a_user_stops_their_own_task(web: WebSystem) -> None:
    task = web.post("kari", "tasks", SLEEP | {"delay_seconds": 3600}).json()
    answer = web.post("kari", f"tasks/{task['number']}/cancel", {"reason": "Wrong list"})
    assert answer.status_code == 202, answer.text
    eventually(lambda: state(web, task["id"]) == "cancelled")
    events = web.get("kari", f"tasks/{task['id']}/events").json()["events"]
    assert [event["text"] for event in events[1:]] == [
        "user 7 asked for it to stop: Wrong list",
        "Stopped by user 7.",
    ]
    again = web.post("kari", f"tasks/{task['id']}/cancel")
    assert again.status_code == 409
    assert again.json()["detail"] == f"task {task['number']} has ended already; there is nothing to stop"


@pytest.mark.parametrize(
    ("who", "owner", "cancellation", "force", "status"),
    [
        ("kari", KARI, 0, False, 202), ("kari", OLA, 0, False, 404), ("kari", 0, 0, False, 404),
        ("kari", KARI, 1, False, 202), ("kari", KARI, CANNOT, False, 409), ("kari", KARI, CANNOT, True, 403),
        ("kari", KARI, 0, True, 403), ("kari", OLA, 0, True, 404),
        ("admin", KARI, 0, False, 202), ("admin", 0, 0, False, 202), ("admin", KARI, CANNOT, False, 409),
        ("admin", KARI, CANNOT, True, 202),
    ],
)  # fmt: skip
def test_who_may_stop_what(
    *, web: WebSystem, who: str, owner: int, cancellation: int, force: bool, status: int
) -> None:
    task_id = record(web.system.engine, owner=owner, cancellation=cancellation)
    answer = web.post(who, f"tasks/{task_id}/cancel", {"force": force})
    assert answer.status_code == status, answer.text
    if status == 202:
        eventually(lambda: state(web, task_id) == "cancelled")
    else:
        assert len(web.system.history(task_id)) == 1


@pytest.mark.parametrize(
    ("who", "owner", "status"),
    [("kari", KARI, 403), ("kari", OLA, 404), ("kari", 0, 404), ("admin", KARI, 202), ("admin", 0, 202)],
)
def test_only_administrators_begin_dead_tasks_anew(web: WebSystem, who: str, owner: int, status: int) -> None:
    task_id = record(web.system.engine, *FAILED, owner=owner)
    answer = web.post(who, f"tasks/{task_id}/replay", {"parameters": {"seconds": 0}})
    assert answer.status_code == status, answer.text
    replays = [event for event in web.system.history(task_id) if isinstance(event, TaskReplayed)]
    assert [(event.requested_by, event.parameters) for event in replays] == (
        [(ADMIN, {"seconds": 0})] if status == 202 else []
    )
    if status == 202:
        assert answer.json()["state"] == "waiting"
        assert web.post(who, f"tasks/{task_id}/replay").status_code == 409  # it is done, and not done twice


def test_a_replay_with_parameters_that_do_not_fit_changes_nothing(web: WebSystem) -> None:
    task_id = record(web.system.engine, *FAILED)
    refused = web.post("admin", f"tasks/{task_id}/replay", {"parameters": {"seconds": -1}})
    assert (refused.status_code, state(web, task_id)) == (400, "failed")
    done = record(web.system.engine, STARTED, TaskSucceeded(fence=1))
    refused = web.post("admin", f"tasks/{done}/replay")
    assert refused.status_code == 409
    assert "has succeeded; only one that failed or was stopped can be replayed" in refused.json()["detail"]


def test_many_tasks_are_stopped_at_once(web: WebSystem) -> None:
    tasks = [record(web.system.engine, name="bulk-stop", owner=OLA) for _ in range(3)]
    kept = record(web.system.engine, name="bulk-stop", owner=OLA, cancellation=CANNOT)
    choice = {"name": "bulk-stop", "owner": OLA, "state": "waiting"}
    planned = web.post("admin", "bulk/cancel", choice | {"dry_run": True}).json()
    assert (planned["count"], planned["refused_count"], planned["dry_run"]) == (3, 1, True)
    assert planned["text"] == "Would ask 3 tasks to stop. 1 left alone."
    assert {state(web, task_id) for task_id in tasks} == {"waiting"}
    done = web.post("admin", "bulk/cancel", choice).json()
    assert (done["count"], done["next_before"], done["text"]) == (3, None, "Asked 3 tasks to stop. 1 left alone.")
    assert done["refused"] == [
        {"id": str(kept), "reason": "cannot be cancelled, says its definition; `force` does it"}
    ]
    eventually(lambda: {state(web, task_id) for task_id in tasks} == {"cancelled"})
    assert state(web, kept) == "waiting"
    assert web.post("admin", "bulk/cancel", choice).json()["count"] == 0


def test_many_dead_tasks_begin_anew_but_not_those_that_somebody_stopped(web: WebSystem) -> None:
    failed = [record(web.system.engine, *FAILED, name="bulk-replay") for _ in range(2)]
    stopped = record(web.system.engine, *STOPPED, name="bulk-replay")
    planned = web.post("admin", "bulk/replay", {"name": "bulk-replay", "dry_run": True}).json()
    assert (planned["count"], planned["text"]) == (2, "Would ask 2 tasks to begin anew.")
    done = web.post("admin", "bulk/replay", {"name": "bulk-replay"}).json()
    assert done["count"] == 2
    assert {state(web, task_id) for task_id in failed} == {"waiting"}
    assert state(web, stopped) == "cancelled"
    assert web.post("admin", "bulk/replay", {"name": "bulk-replay"}).json()["count"] == 0
    assert web.post("admin", "bulk/replay", {"name": "bulk-replay", "state": "cancelled"}).json()["count"] == 1


def test_tasks_that_are_named_and_cannot_be_done_are_told(web: WebSystem) -> None:
    failed, open_one = record(web.system.engine, *FAILED), record(web.system.engine)
    unknown = uuid4()
    done = web.post("admin", "bulk/replay", {"ids": [str(failed), str(open_one), str(unknown), 2_000_000_000]}).json()
    assert done["count"] == 1
    assert [refused["id"] for refused in done["refused"]] == [str(open_one), str(unknown), 2_000_000_000]
    by_number = web.get("admin", f"tasks/{open_one}").json()["number"]
    assert web.post("admin", "bulk/cancel", {"ids": [by_number]}).json()["count"] == 1


@pytest.mark.parametrize("command", ["cancel", "replay"])
@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        ("kari", {"owner": KARI}, 403), ("admin", {}, 400), ("admin", {"dry_run": True}, 400),
        ("admin", {"before": 5}, 400),
        ("admin", {"ids": []}, 400), ("admin", {"ids": ["x"]}, 400), ("admin", {"ids": [-1]}, 400),
        ("admin", {"owner": 2**31}, 400), ("admin", {"name": "a\0"}, 400), ("admin", {"state": "asleep"}, 400),
        ("admin", {"state": "succeeded"}, 400), ("admin", {"since": "2026-01-01T00:00:00"}, 400),
        ("admin", {"since": "0001-01-01T00:00:00Z"}, 400), ("admin", {"nothing": 1}, 400), ("admin", [], 400),
    ],
)  # fmt: skip
def test_commands_for_many_need_an_administrator_and_a_choice(
    web: WebSystem, command: str, who: str, body: Any, status: int
) -> None:
    refused = web.post(who, f"bulk/{command}", body)
    assert refused.status_code == status, refused.text
    assert refused.headers["content-type"] == "application/problem+json"


def test_dead_tasks_are_listed_and_grouped(web: WebSystem) -> None:
    tasks = [record(web.system.engine, *FAILED, name="dead-list", owner=OLA) for _ in range(3)]
    record(web.system.engine, *STOPPED, name="dead-list")
    first = web.get("admin", "dead", name="dead-list", cause="error", limit=2).json()
    rest = web.get("admin", "dead", name="dead-list", cause="error", limit=2, before=first["next_before"]).json()
    assert [task["task_id"] for task in first["tasks"] + rest["tasks"]] == [str(task_id) for task_id in tasks[::-1]]
    assert rest["next_before"] is None
    groups = web.get("admin", "dead/groups", name="dead-list").json()["groups"]
    assert [(group["cause"], group["message"], group["count"]) for group in groups] == [
        ("error", "It broke.", 3), ("stopped", "Stopped on request.", 1),
    ]  # fmt: skip


def test_a_schedule_is_added_paused_resumed_and_removed(web: WebSystem) -> None:
    body = {"name": "nightly nap", "cron": "30 2 * * mon-fri", "task": "sleep", "time_zone": "Europe/Oslo"}
    added = web.post("admin", "schedules", body)
    assert added.status_code == 201, added.text
    assert added.headers["location"] == "/api/v2/schedules/nightly%20nap"
    assert web.post("admin", "schedules", body).status_code == 409
    (schedule,) = web.get("admin", "schedules").json()["schedules"]
    assert (schedule["task"], schedule["paused"], schedule["next_at"]) == ("sleep", False, added.json()["next_at"])
    path = added.headers["location"].removeprefix("/api/v2/")
    for _ in range(2):
        assert web.post("admin", f"{path}/pause").json() == {"name": "nightly nap", "paused": True, "next_at": None}
    assert web.get("admin", "schedules").json()["schedules"][0]["next_at"] is None
    assert web.post("admin", f"{path}/resume").json() == added.json()
    assert web.delete("admin", path).status_code == 204
    assert web.delete("admin", path).status_code == 404
    assert web.get("admin", "schedules").json() == {"schedules": []}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cron": "every day"}, ""), ({"time_zone": "Mars"}, "Mars"), ({"task": "nothing"}, "unknown task"),
        ({"name": "a/b"}, "slash"), ({"name": " a"}, "printable"), ({"name": ""}, "1 to 254"),
        ({"name": "a\0"}, "name"),
        ({"parameters": {"seconds": -1}}, "seconds"), ({"owner": 2**31}, "owner"), ({"database_tag": "a\0"}, "NUL"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused(web: WebSystem, change: dict[str, Any], words: str) -> None:
    refused = web.post("admin", "schedules", {"name": "x", "cron": "@daily", "task": "sleep"} | change)
    assert refused.status_code == 400, refused.text
    assert words in refused.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "dead"), ("GET", "dead/groups"), ("GET", "schedules"), ("POST", "schedules"),
        ("DELETE", "schedules/x"),
        ("POST", "schedules/x/pause"), ("POST", "schedules/x/resume"),
    ],
)  # fmt: skip
def test_what_only_administrators_may_do_is_refused_to_others(web: WebSystem, method: str, path: str) -> None:
    body = {"name": "x", "cron": "@daily", "task": "sleep"} if path == "schedules" and method == "POST" else None
    answer = web.client.request(method, f"/api/v2/{path}", json=body, headers={"X-Caller": "kari"})
    assert answer.status_code == 403, answer.text
    assert answer.json()["detail"].startswith("only administrators may do this")
    assert web.client.request(method, f"/api/v2/{path}", json=body).status_code == 401
