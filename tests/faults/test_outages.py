"""Servers go away under load and come back: nothing is lost, and nothing runs twice for it."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, unquote, urlsplit

import pytest

from batchtask.errors import PublishUnconfirmed
from batchtask.identifiers import TaskId
from batchtask.local import PostgreSQL, RabbitMQ
from batchtask.settings import Settings
from producer.blocking import Producer
from producer.task_request import TaskRequest
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import Part, System


def crash(server: RabbitMQ | PostgreSQL) -> None:
    server.kill()
    server.start()


def restart(server: RabbitMQ | PostgreSQL) -> None:
    server.restart()


@pytest.mark.parametrize("outage", [crash, restart])
def test_tasks_survive_the_database_and_none_runs_twice(
    outage: Callable[[PostgreSQL], None], fragile: System, database: PostgreSQL
) -> None:
    ids = fragile.submit_many_traced("append", 300, seconds=0.01)
    for wanted in (20, 150):
        fragile.wait(partial(have_begun, fragile, ids, wanted))
        outage(database)

    fragile.wait_all_finished(ids, seconds=60)

    assert_all_succeeded(fragile, ids)
    assert_each_ran_once(fragile, ids)


def test_tasks_survive_the_broker_and_none_runs_twice(fragile: System, broker: RabbitMQ) -> None:
    long = fragile.submit_traced("gate")
    ids = fragile.submit_many_traced("append", 300, seconds=0.01)
    fragile.wait(partial(have_begun, fragile, ids, 20))
    request = TaskRequest(name="noop")

    broker.kill()
    with (
        Producer(Settings(amqp_url=broker.amqp_url, submit_seconds=0.5)) as impatient,
        pytest.raises(PublishUnconfirmed, match="ask again with the same task_id"),
    ):
        impatient.submit_many([request])
    broker.start()
    fragile.producer.submit_many([request, request])

    fragile.wait_all_finished([*ids, request.task_id], seconds=60)
    fragile.open_gates(long)
    fragile.wait_finished(long)
    assert_all_succeeded(fragile, [long, *ids, request.task_id])
    assert_each_ran_once(fragile, ids)
    assert [event.fence for event in fragile.attempts(long)] == [1]


def test_everything_dead_at_once_loses_nothing(fragile: System, broker: RabbitMQ, database: PostgreSQL) -> None:
    """The broker must know after its crash that what it had handed out may have been begun."""
    running = fragile.submit_many_traced("gate", 4)
    for task_id in running:
        fragile.wait_started(task_id)
    waiting = fragile.submit_many_traced("append", 100)

    for part in fragile.parts:
        part.kill()
    database.kill()
    broker.kill()
    database.start()
    broker.start()
    fragile.worker(max_tasks=4)
    fragile.projections()

    for task_id in running:
        fragile.wait_started(task_id, attempts=2)
    fragile.open_gates(*running)
    fragile.wait_all_finished([*running, *waiting], seconds=60)
    assert_all_succeeded(fragile, [*running, *waiting])
    assert_each_ran_once(fragile, waiting)
    assert {tuple(event.fence for event in fragile.attempts(task_id)) for task_id in running} == {(1, 2)}


def test_a_long_task_goes_on_while_its_connection_is_cut(system: System, management_url: str | None) -> None:
    """Its message comes back to the worker that still runs it, which is no reason to run it again."""
    if management_url is None:
        pytest.skip("connections are cut by the broker's HTTP API")
    system.worker().wait_ready()
    system.projections().wait_ready()
    task_id = system.submit_traced("gate")
    system.wait_started(task_id)

    assert cut_connections(system, management_url) > 2
    neighbour = system.producer.submit("noop")
    system.wait_finished(neighbour)
    system.open_gates(task_id)

    row = system.wait_finished(task_id)
    assert row["startcount"] == 1
    assert_all_succeeded(system, [task_id, neighbour])
    assert len(system.attempts(task_id)) == 1
    assert system.trace(task_id).read_text() == "1\n"


def test_a_task_that_was_elsewhere_meanwhile_begins_anew_when_its_message_comes_back(
    system: System, management_url: str | None
) -> None:
    """The attempt that went on without its message must not be taken for the one that holds it now."""
    if management_url is None:
        pytest.skip("connections are cut by the broker's HTTP API")
    first = system.worker()
    system.projections()
    task_id = system.submit_traced("gate")
    system.wait_started(task_id)
    second = system.worker()
    second.wait_ready()

    cut_connections(system, management_url, of=first)
    system.wait_started(task_id, attempts=2)
    second.kill()

    system.wait_started(task_id, attempts=3)
    system.open_gates(task_id)
    system.wait_finished(task_id)
    assert_all_succeeded(system, [task_id])
    assert [event.fence for event in system.attempts(task_id)] == [1, 2, 3]


def have_begun(system: System, ids: list[TaskId], count: int) -> bool:
    return sum(system.trace(task_id).exists() for task_id in ids) >= count


def cut_connections(system: System, management_url: str, *, of: Part | None = None) -> int:
    """Close connections to the system's virtual host, as an operator would; return how many there were."""
    virtual_host = urlsplit(system.amqp_url).path[1:]
    whose = "" if of is None else f"/{of.pid}/"
    names: list[str] = []

    def listed() -> bool:
        found = json.loads(call(management_url, "GET", f"/api/vhosts/{virtual_host}/connections"))
        names[:] = [
            one["name"] for one in found if whose in one.get("client_properties", {}).get("connection_name", "")
        ]
        return len(names) >= 2

    system.wait(listed)
    for name in names:
        call(management_url, "DELETE", f"/api/connections/{quote(name, safe='')}")
    return len(names)


def call(management_url: str, method: str, path: str) -> bytes:
    url = urlsplit(management_url)
    login = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    request = urllib.request.Request(f"http://{url.hostname}:{url.port}{path}", method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())
