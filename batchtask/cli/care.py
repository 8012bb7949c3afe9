"""Commands that look after all tasks: prove where each is, repair what came apart, remove what is old."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from batchtask import logs
from batchtask.cli import render_care
from batchtask.cli.context import AsJson, database, out, print_json
from batchtask.cli.exits import Exit
from batchtask.cli.times import read_moment
from batchtask.errors import BrokerUnavailable, SettingsError
from batchtask.settings import Settings
from batchtask.topology import TASKS_QUEUE, Topology


def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    publish_all: Annotated[
        bool, typer.Option("--publish-all", help="Publish every queued task again: after the broker lost its disk.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove every task to be queued, waiting, running, finished or dead, and repair what is not. Safe at any time.

    Exit code 5: something was wrong. Running projections do most of this by themselves, all the time.
    """
    from batchtask.clock import DatabaseClock
    from batchtask.database import require_schema
    from projections.passes import FullPass
    from projections.reconcile import Reconciler

    settings = Settings.read(os.environ)
    logs.configure("warning")  # a task that cannot be read is told with its reason
    with database() as engine:
        require_schema(engine)
        clock = DatabaseClock(engine)
        clock.sync()
        full = FullPass(
            engine,
            Reconciler(engine, clock.now, dry_run=dry_run),
            heartbeat_seconds=settings.heartbeat_seconds,
            grace_seconds=settings.reconcile_seconds,
        )
        found = full.run(lambda: asyncio.run(_ready(settings.amqp_url)), publish_all=publish_all)
    if as_json:
        print_json(found)
    else:
        out.print(render_care.reconciled(found, dry_run=dry_run))
    if found.repairs:
        raise typer.Exit(Exit.DRIFT)


def prune(
    older_than: Annotated[str, typer.Option(help="Only what ended before: 90d ago, or 2026-03-01T12:00.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what finished long ago, for good: rows, histories, log lines, result files. Safe at any time.

    Run it where the result files are: BATCHTASK_FILES_DIR and BATCHTASK_PAYLOAD_URL say where.
    """
    from batchtask.database import require_schema
    from batchtask.payloads import PayloadStore
    from projections.retention import Retention

    settings = Settings.read(os.environ)
    before = read_moment(older_than)
    if not settings.files_dir.is_dir():
        raise SettingsError([f"there is no folder {settings.files_dir}; set BATCHTASK_FILES_DIR as for the workers"])
    with database() as engine:
        require_schema(engine)
        retention = Retention(engine, settings.files_dir, PayloadStore(settings.payload_url), dry_run=dry_run)
        pruned = retention.prune(before)
    return print_json(pruned) if as_json else out.print(render_care.pruned(pruned, dry_run=dry_run))


async def _ready(amqp_url: str) -> int | None:
    """Count the messages in the tasks' queue, changing nothing; None when there is no telling."""
    from batchtask.broker import Publisher
    from batchtask.broker.depth import ready_messages

    publisher = Publisher(amqp_url, role="reconcile", topology=Topology(exchanges=()))
    try:
        await publisher.start()
        return await ready_messages(publisher.connection, TASKS_QUEUE.name)
    except BrokerUnavailable:
        return None
    finally:
        await publisher.close()
