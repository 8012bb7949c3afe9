"""The command that proves where every task is, and repairs what came apart."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from batchtask import logs
from batchtask.cli import render_care
from batchtask.cli.context import AsJson, database, out, print_json
from batchtask.cli.exits import Exit
from batchtask.errors import BrokerUnavailable
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
