"""Commands that look after the system: migrate, doctor, topology, rebuild."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from typing import Annotated

import typer

from batchtask.cli import render
from batchtask.cli.context import AsJson, database, out, print_json
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
    broker = _Broker(settings)
    findings = [
        _check("database", lambda: _database(settings)),
        _check("broker", broker.broker),
        _check("tasks", broker.tasks),
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
    from projections.relay import lag_seconds

    engine = make_engine(settings.require_database())
    try:
        require_schema(engine)
        with engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
        lag = lag_seconds(engine)
    finally:
        engine.dispose()
    waiting = "" if lag is None else f"; the oldest submission in the outbox waits for a relay since {lag:.0f} s"
    return f"PostgreSQL {version}, migrated{waiting}"


class _Broker:
    """What `doctor` asks the broker, and what its answers mean for the installed tasks."""

    def __init__(self, settings: Settings) -> None:
        from batchtask.definitions import Registry
        from worker.acknowledging import Acknowledging

        self._amqp_url = settings.amqp_url
        self._acknowledging = Acknowledging(settings, Registry.installed())
        self._version: tuple[int, ...] = ()  # empty until a broker has answered

    def broker(self) -> str:
        return asyncio.run(self._broker())

    def tasks(self) -> str:
        """Say for each installed task whether its message is held while it runs, or leased.

        Raises:
            SettingsError: Names each task that demands to be held and cannot be.
        """
        modes = self._acknowledging.modes(self._version)
        if not self._version:
            return _names(modes.held | modes.leased) or "none installed"
        words = {"held": modes.require().held, "leased": modes.leased}
        return "; ".join(f"{word}: {_names(names)}" for word, names in words.items() if names) or "none installed"

    async def _broker(self) -> str:
        server, self._version = await _look(self._amqp_url)
        await self._acknowledging.ask()
        timeout = f"acknowledgement timeout {self._acknowledging.timeout(self._version)}"
        if reason := self._acknowledging.unanswered:
            timeout += f", though the management API does not answer: {reason}"
        return f"{server}, all queues are there, {timeout}"


def _names(tasks: Collection[str]) -> str:
    return ", ".join(sorted(tasks))


async def _declare(amqp_url: str) -> str:
    """Open and close one connection, which declares or verifies the topology, and say what answers."""
    from batchtask.broker import Publisher

    publisher = Publisher(amqp_url, role="migrate")
    try:
        await publisher.start()
        return f"{publisher.connection.server}, topology"
    finally:
        await publisher.close()


async def _look(amqp_url: str) -> tuple[str, tuple[int, ...]]:
    """Return what answers and its version when every queue is there; changes nothing.

    Raises:
        BrokerUnavailable: Nothing answers, or a queue is missing.
    """
    from batchtask.broker import Lost, Publisher

    publisher = Publisher(amqp_url, role="doctor", topology=Topology(exchanges=()))
    try:
        await publisher.start()
        server, version = publisher.connection.server, publisher.connection.version
        for queue in TOPOLOGY.queues:
            await publisher.connection.call(publisher.connection.channel.queue_declare, queue.name, passive=True)
    except Lost as error:
        raise BrokerUnavailable(f"{server} answers: {error}", "run `batchtask migrate`") from error
    finally:
        await publisher.close()
    return server, version
