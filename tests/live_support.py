"""Listening to the live stream as browsers do, to an application of the test's own process that has a real socket."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from litestar import Litestar

from batchtask.identifiers import TaskId
from tests.polling import eventually
from tests.web_support import calling


@contextmanager
def served(app: Litestar) -> Iterator[str]:
    """Serve an application on a port of its own, and give its URL; live streams end first."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, name="served app")
    thread.start()
    try:
        eventually(lambda: server.started)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        app.state.closing.set()
        server.should_exit = True
        thread.join(timeout=20)


@dataclass
class Heard:
    """One event of a stream."""

    name: str
    id: str
    data: Any


@dataclass
class Listener:
    """Reads one stream in a thread of its own."""

    headers: Mapping[str, str]
    events: list[Heard] = field(default_factory=list)
    comments: int = 0
    ended: bool = False
    last_id: str = ""

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """Views of tasks, in the order in which they came."""
        return [event.data for event in self.events if event.name == "task"]

    @property
    def beginning(self) -> list[dict[str, Any]]:
        """The views that came before the stream was up to date."""
        names = [event.name for event in self.events]
        return [event.data for event in self.events[: names.index("ready")]]

    def states(self, task_id: TaskId) -> list[str]:
        """States of a task, as they were told one after the other."""
        return [task["state"] for task in self.tasks if task["id"] == str(task_id)]

    def newest(self, task_id: TaskId) -> dict[str, Any]:
        return [task for task in self.tasks if task["id"] == str(task_id)][-1]

    def is_ready(self) -> bool:
        return any(event.name == "ready" for event in self.events)

    def read(self, response: httpx.Response) -> None:
        event = Heard("message", "", None)
        try:
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if not line and event.data is not None:
                    self.last_id = event.id or self.last_id
                    self.events.append(event)
                if not line:
                    event = Heard("message", "", None)
                elif line.startswith(":"):
                    self.comments += 1
                elif name == "event":
                    event.name = value
                elif name == "id":
                    event.id = value
                elif name == "data":
                    event.data = json.loads(value)
        except httpx.TransportError:
            pass
        finally:
            self.ended = True


@contextmanager
def listening(url: str, who: str | Mapping[str, str], *, last_id: str = "", query: str = "") -> Iterator[Listener]:
    """Listen for as long as the context lasts; returns when the beginning was heard."""
    headers = dict(calling(who) if isinstance(who, str) else who) | {"Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    listener = Listener(headers)
    with httpx.Client(timeout=30) as client, client.stream("GET", f"{url}/api/v2/live{query}", headers=headers) as r:
        assert r.status_code == 200, r.read()
        assert r.headers["content-type"].startswith("text/event-stream")
        thread = threading.Thread(target=listener.read, args=[r], name="listener")
        thread.start()
        try:
            eventually(lambda: listener.is_ready() or listener.ended)
            yield listener
        finally:
            _abort(r)
            thread.join(timeout=10)


def _abort(response: httpx.Response) -> None:
    """Wake the thread that reads, which `close` alone does not."""
    stream = response.extensions["network_stream"]
    sock = stream.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
