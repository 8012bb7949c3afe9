"""Commands that look after the system: migrate, doctor, topology, dead, rebuild."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Annotated

import typer

from batchtask.cli import render
from batchtask.cli.context import AsJson, database, out, print_json, queries
from batchtask.cli.exits import Exit
from batchtask.errors import BatchTaskError, BrokerUnavailable
from batchtask.settings import Settings
from batchtask.topology import TOPOLOGY, Topology


def migrate() -> None:
    """Bring database and broker to the shape this release needs. Safe to repeat, and to run twice at once."""
    from batchtask.migrations import upgrade

    settings = Settings.read(os.environ)
    upgrade(settings.require_database())
    out.print("Database: up to date.")
    out.print(f"Broker: {asyncio.run(_declare(settings.amqp_url))} up to date.")


def doctor(
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when all is well.")] = False,
) -> None:
    """Check settings, database, broker and installed tasks. Exit code 2 when something is wrong."""
    settings = Settings.read(os.environ)
    findings = [
        _check("database", lambda: _database(settings)),
        _check("broker", lambda: asyncio.run(_look(settings.amqp_url))),
        _check("tasks", _tasks),
    ]
    well = all(fine for _, fine, _ in findings)
    if not (quiet and well):
        out.print(render.findings(findings))
    if not well:
        raise typer.Exit(Exit.CANNOT_RUN)


def topology(as_json: AsJson = False) -> None:
    """Show what is declared on the broker, and nowhere else."""
    if as_json:
        print_json(TOPOLOGY)
    else:
        out.print(render.topology(TOPOLOGY))


def dead(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=100_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """Show messages that were set aside, and why."""
    with queries() as found:
        letters = found.dead_letters(limit)
    if as_json:
        print_json(letters)
    else:
        out.print(render.dead_letters(letters))


def rebuild(as_json: AsJson = False) -> None:
    """Make crm7.batchtask anew from the events, beside the live table, and say what was wrong."""
    from projections.rebuild import Rebuild

    with database() as engine:
        rebuilt = Rebuild(engine).run()
    if as_json:
        print_json(rebuilt)
    else:
        out.print(
            f"{rebuilt.tasks} tasks folded; {rebuilt.missing} rows were missing, {rebuilt.different} different, "
            f"{rebuilt.orphaned} without events."
        )


def _check(subject: str, look: Callable[[], str]) -> tuple[str, bool, str]:
    try:
        return subject, True, look()
    except BatchTaskError as error:
        return subject, False, str(error)


def _database(settings: Settings) -> str:
    from batchtask.database import make_engine, require_schema

    engine = make_engine(settings.require_database())
    try:
        require_schema(engine)
        with engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
    finally:
        engine.dispose()
    return f"PostgreSQL {version}, migrated"


def _tasks() -> str:
    from batchtask.definitions import Registry

    return ", ".join(sorted(definition.name for definition in Registry.installed())) or "none installed"


async def _declare(amqp_url: str) -> str:
    """Open and close one connection, which declares or verifies the topology, and say what answers."""
    from batchtask.broker import Publisher

    publisher = Publisher(amqp_url, role="migrate")
    try:
        await publisher.start()
        return f"{publisher.connection.server}, topology"
    finally:
        await publisher.close()


async def _look(amqp_url: str) -> str:
    """Say what answers and whether every queue is there, without changing anything."""
    from batchtask.broker import Lost, Publisher

    publisher = Publisher(amqp_url, role="doctor", topology=Topology(exchanges=()))
    try:
        await publisher.start()
        server = publisher.connection.server
        for queue in TOPOLOGY.queues:
            await publisher.connection.call(publisher.connection.channel.queue_declare, queue.name, passive=True)
    except Lost as error:
        raise BrokerUnavailable(f"{server} answers: {error}", "run `batchtask migrate`") from error
    finally:
        await publisher.close()
    return f"{server}, all queues are there"
