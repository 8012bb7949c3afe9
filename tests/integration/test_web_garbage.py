"""Whatever is sent to the modern API, the answer is JSON and never a fault of ours."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchtask.events import AttemptStarted, TaskFailed
from batchtask.outcomes import Cause
from tests.web_support import record
from tests.web_system import WebSystem, web_system

STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")

Borrow = Callable[[], AbstractContextManager[str]]

# One application serves all examples, and a broker and a database take their time.
PATIENT = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

READS = [
    "me", "tasks", "tasks/1/events", "tasks/1/log", "tasks/1/attempts", "tasks/1/parameters", "tasks/1/file",
    "definitions", "dead", "dead/groups", "schedules",
]  # fmt: skip
COMMANDS = [
    "tasks", "tasks/1/cancel", "tasks/1/replay", "bulk/cancel", "bulk/replay", "schedules", "schedules/x/pause",
    "schedules/x/resume",
]  # fmt: skip
NAMES = [
    "state", "name", "owner", "before", "limit", "after", "heartbeats", "since", "until", "cause", "ids", "causes",
    "dry_run",    "parameters", "description", "delay_seconds", "start_at", "reason", "force", "cron", "task",
    "time_zone", "database_tag",
]  # fmt: skip
AWKWARD = st.sampled_from([
    "", "0", "-1", "2147483648", "99999999999999999999999", "NaN", "1e309", "\0", "a\0b", "%", "'", '"',
    "all", "true",    "2026-01-01", "2026-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00",
    "sleep", "error", "waiting",    "報告", "\u202e", "x" * 5000, "@daily", "* * * * *", "../..",
])  # fmt: skip
VALUES = AWKWARD | st.text(max_size=20)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | VALUES
BODIES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | VALUES, inner, max_size=4),
)
FITTING = st.dictionaries(st.sampled_from(NAMES), PLAIN | st.lists(PLAIN, max_size=3), max_size=5)


@pytest.fixture(scope="module")
def web(virtual_hosts: Borrow, databases: Borrow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSystem]:
    with web_system(virtual_hosts, databases, tmp_path_factory.mktemp("web")) as web:
        record(web.system.engine, STARTED, TaskFailed(cause=Cause.ERROR, message="It broke."))  # number 1
        yield web


def understood(answer: Any) -> None:
    """Hold that an answer is one that a program and a person can do something with."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", READS)
@given(query=st.dictionaries(st.sampled_from(NAMES), VALUES | st.lists(VALUES, max_size=3), max_size=4))
@PATIENT
def test_any_query_is_understood(web: WebSystem, path: str, query: dict[str, Any]) -> None:
    understood(web.get("admin", path, **query))


@pytest.mark.parametrize("path", COMMANDS)
@given(body=BODIES | FITTING)
@PATIENT
def test_any_body_is_understood(web: WebSystem, path: str, body: Any) -> None:
    understood(web.post("admin", path, body))


@pytest.mark.parametrize("path", COMMANDS)
@given(content=st.binary(max_size=200))
@PATIENT
def test_any_bytes_are_understood(web: WebSystem, path: str, content: bytes) -> None:
    understood(web.client.post(f"/api/v2/{path}", content=content, headers={"X-Caller": "admin"}))


@given(
    key=st.text(alphabet=string.printable + "æ報\0%2F", max_size=60),
    what=st.sampled_from(["", "/events", "/log", "/file"]),
)
@PATIENT
def test_any_key_of_a_task_is_understood(web: WebSystem, key: str, what: str) -> None:
    understood(web.get("admin", f"tasks/{quote(key, safe='')}{what}"))


@given(name=VALUES)
@PATIENT
def test_any_name_of_a_schedule_is_understood(web: WebSystem, name: str) -> None:
    for command in ("/pause", "/resume"):
        understood(web.post("admin", f"schedules/{quote(name, safe='')}{command}"))
    understood(web.delete("admin", f"schedules/{quote(name, safe='')}"))
