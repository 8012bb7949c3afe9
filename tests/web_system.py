"""The web application in the test's process before a real broker, and projections that bring the rows up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from httpx import Response
from litestar.testing import TestClient

from tests.system import System, running_system
from tests.web_support import calling, running_app

Borrow = Callable[[], AbstractContextManager[str]]


@dataclass(frozen=True)
class WebSystem:
    """A system, and a client of its web application."""

    system: System
    client: TestClient[Any]

    def get(self, who: str, path: str, **query: Any) -> Response:
        """Ask the modern API something."""
        return self.client.get(f"/api/v2/{path}", params=query, headers=calling(who))

    def post(self, who: str, path: str, body: Any = None, **headers: str) -> Response:
        """Have the modern API do something; `body` goes as JSON."""
        return self.client.post(f"/api/v2/{path}", json=body, headers=calling(who) | headers)

    def delete(self, who: str, path: str) -> Response:
        """Have the modern API remove something."""
        return self.client.delete(f"/api/v2/{path}", headers=calling(who))


@contextmanager
def web_system(virtual_hosts: Borrow, databases: Borrow, directory: Path, **settings: Any) -> Iterator[WebSystem]:
    """Run projections and the web application for as long as the context lasts."""
    with (
        virtual_hosts() as amqp_url,
        databases() as database_url,
        running_system(amqp_url, database_url, directory) as system,
    ):
        system.projections(reconcile_seconds=1).wait_ready()
        with running_app(amqp_url, database_url, files_dir=directory / "files", **settings) as client:
            yield WebSystem(system, client)
