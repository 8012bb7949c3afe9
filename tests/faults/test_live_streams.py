"""Live streams while things break: whoever keeps listening hears of every end."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from batchtask.web.app import create_app
from producer.task_request import TaskRequest
from tests.live_support import Listener, listening, served
from tests.polling import eventually
from tests.system import System
from tests.web_support import KARI, OLA, by_header, calling

OWNERS = {"kari": KARI, "ola": OLA}


@pytest.fixture
def url(system: System, amqp_url: str, database_url: str) -> Iterator[str]:
    with served(create_app(Settings(amqp_url=amqp_url, database_url=database_url), authenticate=by_header)) as url:
        system.projections(reconcile_seconds=1).wait_ready()
        system.worker().wait_ready()
        yield url


def close_connections(management_url: str, amqp_url: str, role: str) -> int:
    """Have the broker close connections of one role in one virtual host, as its operator can; return how many."""
    virtual_host = urlsplit(amqp_url).path[1:]
    with httpx.Client(base_url=management_url) as client:
        login = urlsplit(management_url)
        client.auth = (login.username or "", login.password or "")
        closed = 0
        for connection in client.get("/api/connections").json():
            name = connection.get("client_properties", {}).get("connection_name", "")
            if connection["vhost"] == virtual_host and role in name:
                client.delete(f"/api/connections/{httpx.URL('', path=connection['name']).raw_path.decode()}")
                closed += 1
        return closed


def ends(listener: Listener) -> set[TaskId]:
    return {task["id"] for task in listener.tasks if task["state"] == "succeeded"}


def test_after_the_brokers_connection_was_closed_everything_is_heard_of_again(
    system: System, url: str, amqp_url: str, management_url: str | None
) -> None:
    if management_url is None:
        pytest.skip("the broker has no management API to close connections with")
    with listening(url, "kari") as kari:
        first = system.producer.submit("sleep", {"seconds": 0}, owner=KARI)
        eventually(lambda: kari.states(first)[-1:] == ["succeeded"], seconds=5)
        eventually(lambda: close_connections(management_url, amqp_url, "web live"))
        second = system.producer.submit("sleep", {"seconds": 0}, owner=KARI)
        eventually(lambda: kari.states(second)[-1:] == ["succeeded"], seconds=8)
        assert not kari.ended


def test_streams_stay_open_when_the_database_drops_its_connections(system: System, url: str) -> None:
    with listening(url, "kari") as kari:
        for _ in range(3):
            _end_backends(system)
            task_id = system.producer.submit("sleep", {"seconds": 0.2}, owner=KARI)
            eventually(lambda one=task_id: kari.states(one)[-1:] == ["succeeded"], seconds=15)  # type: ignore[misc]
        assert not kari.ended


def test_a_reader_that_stands_still_holds_up_nobody(system: System, url: str) -> None:
    place = urlsplit(url)
    with socket.create_connection((str(place.hostname), place.port or 80)) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.sendall(b"GET /api/v2/live HTTP/1.1\r\nHost: x\r\nX-Caller: kari\r\n\r\n")
        with listening(url, "kari") as kari:
            request = partial(TaskRequest, name="sleep", parameters={"seconds": 0}, owner=KARI, description="x" * 250)
            system.producer.submit_many([request() for _ in range(300)])
            eventually(lambda: len(ends(kari)) == 300, seconds=30)


def test_streams_that_come_and_go_leave_nothing_behind(url: str) -> None:
    for _ in range(30):  # more than anybody may have at once
        with listening(url, "kari"):
            pass
    with httpx.stream("GET", f"{url}/api/v2/live", headers=calling("kari")) as response:
        assert response.status_code == 200


@pytest.mark.parametrize("seed", range(3))
def test_whoever_comes_back_again_and_again_hears_of_every_end(system: System, url: str, seed: int) -> None:
    chance = random.Random(seed)
    submitted: dict[str, set[str]] = {name: set() for name in OWNERS}
    heard: dict[str, set[str]] = {name: set() for name in OWNERS}
    cursors = dict.fromkeys(OWNERS, "")
    for _ in range(8):
        with ExitStack() as stack:
            listeners = {name: stack.enter_context(listening(url, name, last_id=cursors[name])) for name in OWNERS}
            for name in chance.choices(list(OWNERS), k=chance.randrange(1, 12)):
                seconds = chance.choice([0, 0, 0.05, 0.3])
                submitted[name].add(str(system.producer.submit("sleep", {"seconds": seconds}, owner=OWNERS[name])))
            _wait_for_some_of(listeners, chance)
        for name, listener in listeners.items():
            heard[name] |= {str(task_id) for task_id in ends(listener)}
            cursors[name] = listener.last_id
    with ExitStack() as stack:
        listeners = {name: stack.enter_context(listening(url, name, last_id=cursors[name])) for name in OWNERS}
        for name, listener in listeners.items():
            eventually(lambda n=name, one=listener: submitted[n] <= heard[n] | set(ends(one)), seconds=10)  # type: ignore[misc]
            assert heard[name] <= submitted[name]


def _wait_for_some_of(listeners: dict[str, Listener], chance: random.Random) -> None:
    """Leave after so many events more, wherever everything stands then."""
    wanted = chance.randrange(0, 10)
    try:
        eventually(lambda: sum(len(listener.events) for listener in listeners.values()) > wanted, seconds=0.7)
    except AssertionError:
        return


def _end_backends(system: System) -> None:
    """Have the database end all connections that are open now."""
    ending = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with system.engine.connect() as connection:
        connection.execute(text(ending))
