"""The services a command needs, from the first source that has them: read this file first.

A server that a URL names is used and left as it is; every other one is started for the caller alone and ends
with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from batchtask.local import advice, sources
from batchtask.local.errors import ServicesUnavailable, SourceFailed
from batchtask.local.postgres import PostgreSQL
from batchtask.local.rabbitmq import RabbitMQ
from batchtask.local.sources import Found, Request

Source = Callable[[Request], Found | None]

#: Quickest first. Docker comes before the unpacked packages, because its broker is the newer one and what it
#: leaves behind, an image, is in a place that the user knows how to clean.
BROKER_SOURCES: tuple[Source, ...] = (
    sources.broker_named_by_url,
    sources.broker_installed,
    sources.broker_in_docker,
    sources.broker_from_packages,
)
DATABASE_SOURCES: tuple[Source, ...] = (
    sources.database_named_by_url,
    sources.database_private,
    sources.database_in_docker,
)


@dataclass(frozen=True, kw_only=True)
class Services:
    """Where the services answer."""

    amqp_url: str = field(repr=False)  #: `amqp://…/vhost`; empty when no broker was asked for
    database_url: str = field(repr=False)  #: as SQLAlchemy wants it; empty when no database was asked for
    origin: tuple[str, ...]  #: one line for each service
    management_url: str | None = field(default=None, repr=False)  #: RabbitMQ's HTTP API, if we know of one
    broker: RabbitMQ | None = None  #: the private node, if it is one: may be killed and restarted
    database: PostgreSQL | None = None


@contextmanager
def provide(
    directory: Path,
    environ: Mapping[str, str],
    *,
    announce: Callable[[str], None],
    need_broker: bool = True,
    need_database: bool = True,
    durable: bool = True,
    management: bool = False,
) -> Iterator[Services]:
    """Give services for as long as the context lasts, and stop what was started for it.

    What is started also ends when the calling process is killed. Servers keep their data in `directory`, so a
    later call with the same one finds it again; containers do not.

    Args:
        directory: Belongs to the caller, who may delete it between two calls to start from nothing.
        environ: The caller's environment: `BATCHTASK_AMQP_URL`, `BATCHTASK_DATABASE_URL`, `PATH`, `HOME`.
        announce: Told in one line where each service comes from, and what is tried that takes time.
        need_broker: False when RabbitMQ is not wanted.
        need_database: False when PostgreSQL is not wanted.
        durable: False makes a private server faster and lets it lose data when the machine crashes.
        management: Serve RabbitMQ's HTTP API too, which costs a second at the start.

    Raises:
        ServicesUnavailable: No source has a service; the message says what to install.
    """
    with ExitStack() as stack:
        request = Request(directory.absolute(), environ, announce, durable, management, stack)
        database = _first(DATABASE_SOURCES, "PostgreSQL", request) if need_database else None
        broker = _first(BROKER_SOURCES, "RabbitMQ", request) if need_broker else None
        yield _services(broker, database)


def _first(order: Sequence[Source], service: str, request: Request) -> Found:
    failures = []
    for source in order:
        try:
            found = source(request)
        except SourceFailed as failure:
            request.announce(f"{service}: {failure}")
            failures.append(str(failure))
            continue
        if found:
            request.announce(found.origin)
            return found
    raise ServicesUnavailable(service, failures, advice.how_to_install(service))


def _services(broker: Found | None, database: Found | None) -> Services:
    return Services(
        amqp_url=broker.url if broker else "",
        database_url=database.url if database else "",
        origin=tuple(found.origin for found in (broker, database) if found),
        management_url=broker.management_url if broker else None,
        broker=broker.server if broker and isinstance(broker.server, RabbitMQ) else None,
        database=database.server if database and isinstance(database.server, PostgreSQL) else None,
    )
