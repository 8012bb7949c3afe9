"""What administrators see of the system over HTTP, and have it do; everybody else is refused."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import DateTime, Engine, Table, insert, update

from batchtask.broker import Publisher
from batchtask.crm7 import associate
from batchtask.database import make_engine
from batchtask.events import AttemptLost, AttemptStarted, ProgressReported, TaskFailed, TaskSucceeded
from batchtask.local.processes import free_port
from batchtask.outcomes import Cause
from batchtask.tables import batchtask
from batchtask.tables_workers import worker
from projections.queues import ANSWER_SECONDS
from projections.roll_up import RollUp
from tests.web_support import append, calling, record, running_app

ADMIN = calling("admin")
FIRST, SECOND = "web1/11/aaaaaaaa", "web2/22/bbbbbbbb"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(amqp_url: str, database_url: str) -> Iterator[TestClient[Any]]:
    with running_app(amqp_url, database_url) as client:
        yield client


@pytest.fixture
def without_broker(database_url: str) -> Iterator[TestClient[Any]]:
    with running_app(f"amqp://guest:guest@127.0.0.1:{free_port()}/%2f", database_url) as client:
        yield client


def get(client: TestClient[Any], path: str) -> Any:
    answer = client.get(f"/api/v2{path}", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(client: TestClient[Any], path: str, **body: Any) -> Any:
    answer = client.post(f"/api/v2{path}", headers=ADMIN, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def add_worker(engine: Engine, name: str, *, silent_seconds: float = 0, **columns: object) -> None:
    host, pid, _ = name.split("/")
    seen_at = datetime.now(UTC) - timedelta(seconds=silent_seconds)
    row = {"version": "1.2", "slots": 4, "running": 1, "draining": False, "seen_at": seen_at} | columns
    with engine.begin() as connection:
        connection.execute(insert(worker).values(id=name, host=host, pid=int(pid), **row))


def started(worker_name: str = FIRST, fence: int = 1) -> AttemptStarted:
    return AttemptStarted(attempt=fence, fence=fence, worker=worker_name, delivery_id="m")


def required(table: Table) -> dict[str, Any]:
    """Something for every column that must have a value."""
    return {
        column.name: datetime.now(UTC) if isinstance(column.type, DateTime) else 0
        for column in table.columns
        if not column.nullable
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/overview"),
        ("GET", "/queues"),
        ("GET", "/workers"),
        ("GET", "/pause"),
        ("GET", "/statistics"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/workers/web1:11:aaaaaaaa/pause"),
        ("POST", "/workers/web1:11:aaaaaaaa/resume"),
    ],
)
def test_only_administrators_may(without_broker: TestClient[Any], engine: Engine, method: str, path: str) -> None:
    add_worker(engine, FIRST)

    answers = {
        name: without_broker.request(method, f"/api/v2{path}", headers=calling(name)).status_code
        for name in ("kari", "admin", "nobody")
    }

    assert answers == {"kari": 403, "admin": 200, "nobody": 401}
    assert get(without_broker, "/pause")["paused"] is (path == "/pause" and method == "POST")


def test_a_worker_shows_what_it_has_in_hand(without_broker: TestClient[Any], engine: Engine) -> None:
    add_worker(engine, FIRST)
    with engine.begin() as connection:
        connection.execute(insert(associate).values(required(associate) | {"associate_id": 7, "name": "KARI"}))
    task_id = record(engine, started(), ProgressReported(fence=1, percent=40, text="half"), description="Letters")
    record(engine, started(), TaskSucceeded(fence=1))
    record(engine)

    [found] = get(without_broker, "/workers")["workers"]

    assert (found["id"], found["name"]) == ("web1:11:aaaaaaaa", FIRST)
    assert (found["host"], found["pid"], found["slots"], found["version"]) == ("web1", 11, 4, "1.2")
    assert (found["alive"], found["paused"], found["draining"]) == (True, False, False)
    [running] = found["running"]
    assert running.pop("started_at").endswith("Z")
    assert running == {
        "task_id": str(task_id),
        "number": running["number"],
        "name": "sleep",
        "title": "Letters",
        "owner_name": "KARI",
        "percent": 40,
    }


def test_a_dead_worker_is_told_from_a_living_one_and_holds_what_nobody_took_over(
    without_broker: TestClient[Any], engine: Engine
) -> None:
    add_worker(engine, FIRST, silent_seconds=21)
    add_worker(engine, SECOND, silent_seconds=10)
    kept = record(engine, started(FIRST))
    taken = record(engine, started(FIRST), AttemptLost(fence=1), started(SECOND, 2))

    workers = get(without_broker, "/workers")["workers"]

    assert [(one["name"], one["alive"]) for one in workers] == [(SECOND, True), (FIRST, False)]
    assert [[task["task_id"] for task in one["running"]] for one in workers] == [[str(taken)], [str(kept)]]


def test_a_task_that_goes_through_many_workers_belongs_to_the_last(
    without_broker: TestClient[Any], engine: Engine
) -> None:
    for name in (FIRST, SECOND):
        add_worker(engine, name)
    task_id = record(engine, started(FIRST))
    append(engine, task_id, [AttemptLost(fence=1), started(SECOND, 2)], after=1)

    first, second = get(without_broker, "/workers")["workers"]

    assert (len(first["running"]), len(second["running"])) == (0, 1)


def test_pausing_tells_who_since_when_and_why(without_broker: TestClient[Any]) -> None:
    assert get(without_broker, "/pause") == {"paused": False, "by": "", "since": None, "reason": ""}

    said = post(without_broker, "/pause", reason="new release")

    assert (said["paused"], said["by"], said["reason"]) == (True, "admin", "new release")
    assert said["since"].endswith("Z")
    assert get(without_broker, "/pause") == said
    assert post(without_broker, "/pause", reason="once more") == said
    assert get(without_broker, "/overview")["paused"] is True
    assert post(without_broker, "/resume")["paused"] is False
    assert get(without_broker, "/pause")["paused"] is False


def test_a_pause_needs_no_reason(without_broker: TestClient[Any]) -> None:
    answer = without_broker.post("/api/v2/pause", headers=ADMIN)

    assert answer.json()["paused"] is True


def test_one_worker_is_paused_by_its_id(without_broker: TestClient[Any], engine: Engine) -> None:
    for name in (FIRST, SECOND):
        add_worker(engine, name)

    post(without_broker, "/workers/web2:22:bbbbbbbb/pause", reason="noisy")
    paused = {one["name"]: one["paused"] for one in get(without_broker, "/workers")["workers"]}
    post(without_broker, "/workers/web2:22:bbbbbbbb/resume")

    assert paused == {FIRST: False, SECOND: True}
    assert get(without_broker, "/pause")["paused"] is False
    assert not any(one["paused"] for one in get(without_broker, "/workers")["workers"])


def test_a_pause_of_all_is_one_of_each(without_broker: TestClient[Any], engine: Engine) -> None:
    add_worker(engine, FIRST)

    post(without_broker, "/pause")

    assert [one["paused"] for one in get(without_broker, "/workers")["workers"]] == [True]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/workers/web9:1:cccccccc/pause", {}, 404, "no worker 'web9/1/cccccccc' is there"),
        ("/pause", {"reason": 5}, 400, "reason"),
        ("/pause", {"reasons": "typo"}, 400, "reasons"),
        ("/pause", {"reason": "x" * 1001}, 400, "1000"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    without_broker: TestClient[Any], path: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = without_broker.post(f"/api/v2{path}", headers=ADMIN, json=body)

    assert answer.status_code == status
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("hours", ["0", "337", "-1", "x"])
def test_a_chart_of_impossible_length_is_refused(without_broker: TestClient[Any], hours: str) -> None:
    assert without_broker.get(f"/api/v2/statistics?hours={hours}", headers=ADMIN).status_code == 400


def test_statistics_and_overview_tell_of_today(without_broker: TestClient[Any], engine: Engine) -> None:
    add_worker(engine, FIRST, running=3)
    add_worker(engine, SECOND, silent_seconds=60)
    record(engine)
    record(engine, start_at=datetime.now(UTC) + timedelta(hours=1))
    record(engine, started())
    record(engine, started(), TaskSucceeded(fence=1))
    record(engine, started(), TaskFailed(cause=Cause.REJECTED, message="no"))
    RollUp(engine).run()

    overview = get(without_broker, "/overview")
    chart = get(without_broker, "/statistics?hours=1")

    assert 0 <= overview.pop("oldest_waiting_seconds") < 60
    assert overview == {
        "waiting": 1,
        "delayed": 1,
        "started": 1,
        "succeeded_today": 1,
        "failed_today": 1,
        "dead": 1,
        "workers_alive": 1,
        "slots": 4,
        "slots_busy": 3,
        "paused": False,
    }
    assert chart["minutes_per_point"] == 1
    assert len(chart["points"]) == 60
    assert sum(point["submitted"] for point in chart["points"]) == 5


def test_an_empty_system_is_no_error(without_broker: TestClient[Any]) -> None:
    overview = get(without_broker, "/overview")

    assert overview.pop("oldest_waiting_seconds") is None
    assert not any(overview.values())
    assert get(without_broker, "/workers") == {"workers": []}


def test_a_broker_that_is_away_leaves_numbers_open_and_says_so_in_time(without_broker: TestClient[Any]) -> None:
    for _ in range(2):
        began = time.monotonic()
        found = get(without_broker, "/queues")
        assert time.monotonic() - began < ANSWER_SECONDS + 0.5

    assert [queue["messages"] for queue in found["queues"]] == [None, None, None]
    assert "speaks AMQP" in found["note"]


def test_servers_that_accept_and_say_nothing_are_not_waited_for(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        with running_app(f"amqp://{place}/%2f", database_url, management_url=f"http://{place}") as client:
            began = time.monotonic()
            found = get(client, "/queues")
            took_seconds = time.monotonic() - began

    assert took_seconds < 2
    assert "The broker does not answer" in found["note"]
    assert "management API does not answer" in found["note"]
    assert {queue["unsettled"] for queue in found["queues"]} == {None}


def test_the_management_api_tells_what_workers_have_in_hand(
    amqp_url: str, database_url: str, management_url: str | None
) -> None:
    if management_url is None:
        pytest.skip("this broker has no management API")
    declare(amqp_url)
    with running_app(amqp_url, database_url, management_url=management_url) as client:
        found = get(client, "/queues")

    assert found["note"] == ""
    assert [queue["unsettled"] for queue in found["queues"]] == [0, 0, 0]


def test_queues_tell_how_full_they_are(client: TestClient[Any], engine: Engine, amqp_url: str) -> None:
    declare(amqp_url)
    record(engine)
    with engine.begin() as connection:
        connection.execute(update(batchtask).values(updated=datetime.now(UTC) - timedelta(hours=1)))

    found = get(client, "/queues")

    assert found["note"] == ""
    assert [queue["name"] for queue in found["queues"]] == [
        "batchtask.tasks",
        "batchtask.projections",
        "batchtask.dead",
    ]
    assert all(queue["what"] for queue in found["queues"])
    assert [(queue["messages"], queue["consumers"], queue["unsettled"]) for queue in found["queues"]] == [
        (0, 0, None)
    ] * 3
    assert 3600 <= found["queues"][0]["oldest_seconds"] < 3700


def test_missing_queues_are_no_error_and_are_seen_when_they_are_back(client: TestClient[Any], amqp_url: str) -> None:
    found = get(client, "/queues")
    declare(amqp_url)
    again = get(client, "/queues")

    assert "batchtask migrate" in found["note"] or "does not answer" in found["note"]
    assert again["note"] == ""


def declare(amqp_url: str) -> None:
    async def open_and_close() -> None:
        publisher = Publisher(amqp_url, role="test")
        await publisher.start()
        await publisher.close()

    asyncio.run(open_and_close())
