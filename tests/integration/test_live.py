"""The live stream: who hears of what, and that nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.connection import ASGIConnection
from sqlalchemy import Engine, text

from batchtask.database import make_engine
from batchtask.events import AttemptStarted, ProgressReported, TaskReplayed, TaskSucceeded
from batchtask.http.callers import Caller
from batchtask.http.problems import NotAuthenticated
from batchtask.identifiers import TaskId
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from batchtask.web.app import create_app
from projections.live import hub, listeners
from projections.rest import live
from projections.retention import Retention
from tests.live_support import listening, served
from tests.polling import eventually
from tests.system import System, running_system
from tests.web_support import ADMIN, KARI, OLA, append, by_header, calling, record

STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")
HALF = ProgressReported(fence=1, percent=50, text="Half of it")
DONE = TaskSucceeded(fence=1, response="Done.")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def url(amqp_url: str, database_url: str) -> Iterator[str]:
    app = create_app(Settings(amqp_url=amqp_url, database_url=database_url, secret_keys=""), authenticate=by_header)
    with served(app) as url:
        yield url


@pytest.fixture
def rescans_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """No message tells of what a test writes into the database by itself."""
    monkeypatch.setattr(hub, "RESCAN_SECONDS", 0.2)


@dataclass(frozen=True)
class Watched:
    """A whole system that works, and where its live stream is."""

    system: System
    url: str


@pytest.fixture
def watched(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[Watched]:
    app = create_app(Settings(amqp_url=amqp_url, database_url=database_url), authenticate=by_header)
    with running_system(amqp_url, database_url, tmp_path) as system, served(app) as url:
        system.projections(reconcile_seconds=1).wait_ready()
        system.worker().wait_ready()
        yield Watched(system, url)


def told(url: str, task_id: TaskId, who: str = "kari") -> httpx.Response:
    return httpx.post(f"{url}/api/v2/tasks/{task_id}/told", headers=calling(who))


def test_a_stream_begins_with_what_is_open_and_with_ends_that_nobody_was_told_of(url: str, engine: Engine) -> None:
    waiting, running = record(engine), record(engine, STARTED, HALF)
    ended, ended_and_told = record(engine, STARTED, DONE), record(engine, STARTED, DONE)
    record(engine, owner=OLA)
    assert told(url, ended_and_told).json() == {"first": True}

    with listening(url, "kari") as kari:
        assert [task["id"] for task in kari.beginning] == [str(waiting), str(running), str(ended)]
        assert [task["told"] for task in kari.beginning] == [None, None, False]
        assert [event.id for event in kari.events[:3]] == ["", "", ""]
        assert kari.events[3].id


def test_a_task_of_a_real_worker_is_heard_of_from_submission_to_end(watched: Watched) -> None:
    with listening(watched.url, "kari") as kari, listening(watched.url, "ola") as ola:
        task_id = watched.system.producer.submit("sleep", {"seconds": 1.5, "steps": 3}, owner=KARI)
        eventually(lambda: kari.states(task_id)[-1:] == ["succeeded"])
        states = kari.states(task_id)
        assert states == sorted(states, key=["waiting", "started", "succeeded"].index)
        percents = [task["percent"] for task in kari.tasks]
        assert len(set(percents)) > 2, percents
        assert kari.newest(task_id)["told"] is False
        assert ola.tasks == []


def test_an_end_is_heard_of_within_a_second_of_being_recorded(watched: Watched) -> None:
    with listening(watched.url, "kari") as kari:
        task_id = watched.system.producer.submit("sleep", {"seconds": 0.1}, owner=KARI)
        eventually(lambda: kari.states(task_id)[-1:] == ["succeeded"])
        heard_at = datetime.now(UTC)
        recorded_at = datetime.fromisoformat(kari.newest(task_id)["updated_at"])
        assert heard_at - recorded_at < timedelta(seconds=1)


def test_a_wish_to_cancel_what_waits_is_heard_of(watched: Watched) -> None:
    with listening(watched.url, "kari") as kari:
        task_id = watched.system.producer.submit("sleep", {"seconds": 0.1}, owner=KARI, delay_seconds=600)
        eventually(lambda: kari.states(task_id) == ["waiting"])
        watched.system.producer.cancel(task_id, requested_by=KARI)
        eventually(lambda: kari.states(task_id)[-1:] == ["cancelled"], seconds=5)


def test_an_administrator_may_hear_of_everybody_and_nobody_else_may(
    url: str, engine: Engine, rescans_often: None
) -> None:
    mine, olas, systems = record(engine, owner=ADMIN), record(engine, owner=OLA), record(engine, owner=0)
    with listening(url, "admin") as own, listening(url, "admin", query="?owner=all") as every:
        assert [task["id"] for task in own.beginning] == [str(mine)]
        assert [task["id"] for task in every.beginning] == [str(mine), str(olas), str(systems)]
        append(engine, systems, [STARTED], after=0)
        eventually(lambda: every.states(systems)[-1:] == ["started"])
        assert own.states(systems) == []
    for query in ("?owner=all", f"?owner={OLA}", "?owner=0"):
        refused = httpx.get(f"{url}/api/v2/live{query}", headers=calling("kari"))
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"
    assert httpx.get(f"{url}/api/v2/live").status_code == 401


def test_whoever_comes_back_hears_what_changed_meanwhile(url: str, engine: Engine) -> None:
    ends, ends_and_is_told = record(engine, STARTED), record(engine, STARTED)
    with listening(url, "kari") as before:
        cursor = before.last_id
    append(engine, ends, [DONE], after=1)
    append(engine, ends_and_is_told, [DONE], after=1)
    assert told(url, ends_and_is_told).json() == {"first": True}

    with listening(url, "kari", last_id=cursor) as after:
        told_of = {task["id"]: task["told"] for task in after.beginning}
        assert told_of == {str(ends): False, str(ends_and_is_told): True}
    with listening(url, "kari") as new:
        assert [task["id"] for task in new.beginning] == [str(ends)]


@pytest.mark.parametrize("last_id", ["nonsense", "-1", "9" * 80, "0"])
def test_a_cursor_that_is_none_of_ours_does_no_harm(url: str, engine: Engine, last_id: str) -> None:
    task_id = record(engine, STARTED)
    with listening(url, "kari", last_id=last_id) as kari:
        assert kari.states(task_id) == ["started"]


def test_what_no_message_told_of_is_found_by_the_rescan(url: str, engine: Engine, rescans_often: None) -> None:
    known = record(engine, STARTED)
    with listening(url, "kari") as kari:
        append(engine, known, [DONE], after=1)
        unknown = record(engine, STARTED, DONE)
        eventually(lambda: kari.states(known)[-1:] == ["succeeded"] and kari.states(unknown) == ["succeeded"])


def test_a_user_has_so_many_streams_and_no_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "STREAMS_PER_USER", 2)
    with listening(url, "kari"), listening(url, "ola"):
        with listening(url, "kari"):
            refused = httpx.get(f"{url}/api/v2/live", headers=calling("kari"))
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "60"
            assert "close some pages" in refused.json()["detail"]

        def place_is_free() -> bool:
            with httpx.stream("GET", f"{url}/api/v2/live", headers=calling("kari")) as response:
                return response.status_code == 200

        eventually(place_is_free)


def test_a_process_has_so_many_streams_and_no_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "STREAMS_PER_PROCESS", 1)
    with listening(url, "kari"):
        refused = httpx.get(f"{url}/api/v2/live", headers=calling("ola"))
        assert refused.status_code == 503
        assert "ask for tasks now and then" in refused.json()["detail"]


def test_where_no_news_come_any_more_there_are_no_streams(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: hub.Hub) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(hub.Hub, "_round", broken)
    with listening(url, "kari") as kari:
        eventually(lambda: kari.ended)
    refused = httpx.get(f"{url}/api/v2/live", headers=calling("kari"))
    assert refused.status_code == 503
    assert "ask for tasks now and then" in refused.json()["detail"]


def test_proxies_are_told_to_pass_events_on_at_once_and_to_keep_none(url: str) -> None:
    with httpx.stream("GET", f"{url}/api/v2/live", headers=calling("kari")) as response:
        assert response.headers["cache-control"] == "no-store, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert next(response.iter_lines()) == "retry: 2000"


def test_while_nothing_changes_the_connection_is_kept_alive(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.05)
    with listening(url, "kari") as kari:
        eventually(lambda: kari.comments >= 3)
        assert not kari.ended


def test_a_stream_ends_after_a_while_so_that_clients_bring_fresh_credentials(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.05)
    monkeypatch.setattr(live, "LONGEST_SECONDS", 0.5)
    with listening(url, "kari") as kari:
        eventually(lambda: kari.ended)


@pytest.mark.parametrize("loss", ["session", "rights"])
def test_a_stream_ends_with_the_session_and_with_the_rights_it_was_opened_with(
    amqp_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_SECONDS", 0.05)
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.1)
    lost: list[str] = []

    async def authenticate(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
        if "session" in lost:
            raise NotAuthenticated("log in again")
        return Caller(associate_id=ADMIN, name="admin", administrator="rights" not in lost)

    app = create_app(Settings(amqp_url=amqp_url, database_url=database_url), authenticate=authenticate)
    with served(app) as url, listening(url, "admin", query="?owner=all") as admin:
        eventually(lambda: admin.comments >= 5)
        assert not admin.ended
        lost.append(loss)
        eventually(lambda: admin.ended)


def test_streams_end_when_the_process_is_told_to_stop(amqp_url: str, database_url: str) -> None:
    app = create_app(Settings(amqp_url=amqp_url, database_url=database_url), authenticate=by_header)
    with served(app) as url, listening(url, "kari") as kari:
        app.state.closing.set()
        eventually(lambda: kari.ended, seconds=3)


def test_an_end_is_told_once_and_again_when_the_task_begins_anew(url: str, engine: Engine) -> None:
    task_id = record(engine, STARTED, DONE)
    assert told(url, task_id, "admin").json() == {"first": False}
    assert [told(url, task_id).json()["first"] for _ in range(3)] == [True, False, False]

    begins_anew = [TaskReplayed(requested_by=ADMIN, due_at=datetime.now(UTC)), STARTED]
    append(engine, task_id, begins_anew, after=2)
    assert told(url, task_id).status_code == 409
    append(engine, task_id, [DONE], after=4)
    with listening(url, "kari") as kari:
        assert kari.newest(task_id)["told"] is False
    assert [told(url, task_id).json()["first"] for _ in range(2)] == [True, False]


def test_whose_end_it_is_not_cannot_have_it_told(url: str, engine: Engine) -> None:
    olas, waiting = record(engine, STARTED, DONE, owner=OLA), record(engine)
    assert told(url, olas).status_code == 404
    refused = told(url, waiting)
    assert refused.status_code == 409
    assert "has not ended yet" in refused.json()["detail"]


def test_of_many_who_ask_at_once_one_is_told(url: str, engine: Engine) -> None:
    task_id = record(engine, STARTED, DONE)
    with ThreadPoolExecutor(8) as pool:
        firsts = list(pool.map(lambda _: told(url, task_id).json()["first"], range(24)))
    assert firsts.count(True) == 1


def test_removing_a_task_removes_that_it_was_told(url: str, engine: Engine, tmp_path: Path) -> None:
    task_id = record(engine, STARTED, DONE)
    told(url, task_id)
    Retention(engine, tmp_path, PayloadStore("")).prune(datetime.now(UTC) + timedelta(hours=1))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM batchtask.told")).scalar_one() == 0
