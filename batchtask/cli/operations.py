"""Commands of whoever operates the system: which workers are there, have them pause and go on."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from batchtask.cli import render, render_operations
from batchtask.cli.context import AsJson, database, out, print_json

if TYPE_CHECKING:
    from batchtask.pausing import Pausing

OneWorker = Annotated[
    str, typer.Option("--worker", help="Only this one, by its id as `batchtask workers` shows it. Ends with it.")
]


def workers(as_json: AsJson = False) -> None:
    """Show the workers, whether they are alive, and what each of them runs."""
    from batchtask.database import require_schema
    from batchtask.definitions import Registry
    from batchtask.pausing import Pausing
    from projections.task_views import TaskViews
    from projections.workers import read_workers

    with database() as engine:
        require_schema(engine)
        found = read_workers(engine, TaskViews(engine, Registry.installed()))
        pause = Pausing(engine).standing()
    return print_json(found) if as_json else out.print(render_operations.workers(found.workers, pause))


def pause(reason: Annotated[str, typer.Option(help="What others shall read.")] = "", worker: OneWorker = "") -> None:
    """Have workers take nothing new, those that start later too. What runs goes on to its end; nothing is lost."""
    from batchtask.pausing import scope_of

    with _pausing() as pausing:
        stands = pausing.pause(_myself(), reason, scope_of(worker))
    whom = f"Worker {render.escape(worker)}" if worker else "All workers"
    out.print(f"{whom} paused: {render_operations.pause(stands)}. Tasks can be submitted meanwhile.")


def resume(worker: OneWorker = "") -> None:
    """Have workers go on; what was submitted meanwhile runs now."""
    from batchtask.pausing import scope_of

    with _pausing() as pausing:
        ended = pausing.resume(scope_of(worker))
    if ended is None:
        out.print("Nothing was paused.")
    else:
        out.print(f"Going on. The pause was {render_operations.pause(ended)}.")


@contextmanager
def _pausing() -> Iterator[Pausing]:
    from batchtask.database import require_schema
    from batchtask.pausing import Pausing

    with database() as engine:
        require_schema(engine)
        yield Pausing(engine)


def _myself() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "command line"
