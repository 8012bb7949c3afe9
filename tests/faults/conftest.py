"""Servers that may be killed, and a system on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchtask.local import PostgreSQL, RabbitMQ, ServicesUnavailable, provide
from batchtask.migrations import upgrade
from tests.server_directory import server_directory
from tests.system import System, running_system


@contextmanager
def durable_services() -> Iterator[tuple[RabbitMQ, PostgreSQL]]:
    """Servers of our own that keep what they confirmed, as the session's need not."""
    with server_directory() as directory:
        try:
            with provide(directory, {"PATH": "/usr/bin:/bin"}, announce=print) as services:
                if services.broker is None or services.database is None:
                    pytest.skip("servers in containers are not ours to kill")
                yield services.broker, services.database
        except ServicesUnavailable as missing:
            pytest.skip(str(missing))


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[RabbitMQ, PostgreSQL]]:
    with durable_services() as (broker, database):
        upgrade(database.database_url)
        yield broker, database


@pytest.fixture
def broker(servers: tuple[RabbitMQ, PostgreSQL]) -> RabbitMQ:
    return servers[0]


@pytest.fixture
def database(servers: tuple[RabbitMQ, PostgreSQL]) -> PostgreSQL:
    return servers[1]


@pytest.fixture
def fragile(broker: RabbitMQ, database: PostgreSQL, tmp_path: Path) -> Iterator[System]:
    """A system on servers that may be killed, with a worker and a projections process."""
    with running_system(broker.amqp_url, database.database_url, tmp_path) as system:
        for part in (system.worker(max_tasks=4), system.projections()):
            part.wait_ready()
        yield system
