"""Real services for every test that asks: one server each per session, a virtual host and a database per test.

`BATCHTASK_AMQP_URL` and `BATCHTASK_DATABASE_URL` name servers to use instead of private ones (their user must
be allowed to create databases); `BATCHTASK_TEST_SERVICES=containers` takes them from testcontainers.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import forkserver
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pika.exceptions
import psycopg
import pytest
from sqlalchemy import make_url

from batchtask.local import Services, add_virtual_host, delete_virtual_host, provide
from batchtask.local.virtual_hosts import answers
from batchtask.topology import TOPOLOGY
from tests.server_directory import server_directory
from tests.system import System, running_system

#: Taken once, before any test can change or see it.
ENVIRON = dict(os.environ)
for name in [name for name in os.environ if name.startswith("BATCHTASK_")]:
    del os.environ[name]

RUN = secrets.token_hex(4)  # several runs may share the servers that URLs name
NUMBERS = itertools.count(1)

Borrow = Callable[[], AbstractContextManager[str]]  #: gives a URL for as long as the context lasts


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """A broker with its HTTP API and a database server, for the session."""
    with _services(ENVIRON) as found:
        yield found


@pytest.fixture(scope="session")
def management_url(services: Services) -> str | None:
    """URL of the broker's HTTP API, if there is one; a broker that a URL names may have it on the usual port."""
    login = urlsplit(services.amqp_url)
    usual = f"http://{login.username}:{login.password}@{login.hostname}:15672"
    url = services.management_url or usual
    return url if answers(url) else None


@pytest.fixture(scope="session")
def virtual_hosts(services: Services, management_url: str | None) -> Borrow:
    """Makes virtual hosts, for fixtures that keep one for longer than a test; the one given when none can be made."""

    @contextmanager
    def borrow() -> Iterator[str]:
        if management_url is None:
            _require_unused(services.amqp_url)
            yield services.amqp_url
            return
        name = f"test-{RUN}-{next(NUMBERS)}"
        yield add_virtual_host(management_url, services.amqp_url, name)
        delete_virtual_host(management_url, name)

    return borrow


def _require_unused(amqp_url: str) -> None:
    """Refuse to run on a virtual host that somebody lives in: the tests purge, poison and delete."""
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        for queue in TOPOLOGY.queues:
            try:
                method = connection.channel().queue_declare(queue.name, passive=True).method
            except pika.exceptions.ChannelClosedByBroker:
                continue
            if method.consumer_count or method.message_count:
                pytest.exit(
                    f"{queue.name} on the broker that BATCHTASK_AMQP_URL names is in use. Unset the variable, and "
                    "the tests start a broker of their own; or enable its management plugin for virtual hosts.",
                    returncode=2,
                )


@pytest.fixture(scope="session")
def databases(services: Services, migrated_template: str) -> Borrow:
    """Makes migrated databases, for fixtures that keep one for longer than a test."""

    @contextmanager
    def borrow() -> Iterator[str]:
        with _database(services.database_url, template=migrated_template) as name:
            yield _at(services.database_url, name)

    return borrow


@pytest.fixture
def amqp_url(virtual_hosts: Borrow) -> Iterator[str]:
    """URL of a virtual host that this test has for itself, or of the one given when none can be made."""
    with virtual_hosts() as url:
        yield url


@pytest.fixture
def database_url(databases: Borrow) -> Iterator[str]:
    """URL of a migrated database that this test has for itself."""
    with databases() as url:
        yield url


@pytest.fixture
def system(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[System]:
    """A virtual host and a database of the test's own, to start processes on."""
    with running_system(amqp_url, database_url, tmp_path) as system:
        yield system


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for the module, and a fork server that finds the test tasks when it looks for all there are."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        yield runner
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@pytest.fixture
def empty_database_url(services: Services) -> Iterator[str]:
    """URL of a database without any of our tables."""
    with _database(services.database_url, template="template1") as name:
        yield _at(services.database_url, name)


@pytest.fixture(scope="session")
def migrated_template(services: Services) -> Iterator[str]:
    """Name of a database that was migrated once; a copy of it costs less than a migration."""
    from batchtask.migrations import upgrade

    with _database(services.database_url, template="template1") as name:
        upgrade(_at(services.database_url, name))
        yield name


@contextmanager
def _services(environ: Mapping[str, str]) -> Iterator[Services]:
    if environ.get("BATCHTASK_TEST_SERVICES") == "containers":
        with _containers() as found:
            yield found
        return
    with (
        server_directory() as directory,
        provide(directory, environ, announce=print, durable=False, management=True) as found,
    ):
        yield found


@contextmanager
def _containers() -> Iterator[Services]:
    with warnings.catch_warnings():
        # It warns of its own decorator.
        warnings.simplefilter("ignore", DeprecationWarning)
        from testcontainers.community.postgres import PostgresContainer
        from testcontainers.community.rabbitmq import RabbitMqContainer

    broker = RabbitMqContainer("rabbitmq:4-management").with_exposed_ports(5672, 15672)
    database = PostgresContainer("postgres:17", driver="psycopg")
    with broker, database:
        host, login = broker.get_container_host_ip(), f"{broker.username}:{broker.password}"
        yield Services(
            amqp_url=f"amqp://{login}@{host}:{broker.get_exposed_port(5672)}/%2F",
            database_url=database.get_connection_url(),
            origin=("RabbitMQ: testcontainers", "PostgreSQL: testcontainers"),
            management_url=f"http://{login}@{host}:{broker.get_exposed_port(15672)}",
        )


@contextmanager
def _database(server_url: str, *, template: str) -> Iterator[str]:
    name = f"test_{RUN}_{next(NUMBERS)}"
    with psycopg.connect(_plain(server_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name
    with psycopg.connect(_plain(server_url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _at(server_url: str, database: str) -> str:
    return make_url(server_url).set(database=database).render_as_string(hide_password=False)


def _plain(server_url: str) -> str:
    return make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
