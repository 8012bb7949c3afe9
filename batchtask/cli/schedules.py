"""Commands about schedules: tasks that are submitted at times of the clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from batchtask.cli import render
from batchtask.cli.context import LARGEST_INTEGER, SMALLEST_INTEGER, AsJson, database, out, print_json
from batchtask.cli.parameters import Pairs, ParametersJson, read_parameters
from batchtask.settings import Settings

if TYPE_CHECKING:
    from batchtask.messages import SubmitTask
    from projections.schedules import Schedules

commands = typer.Typer(
    name="schedule",
    help="Submit tasks at times of the clock: list, add, remove, pause, resume.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="The schedule's name.")]


@commands.command("list")
def show(as_json: AsJson = False) -> None:
    """Show all schedules with their next and last run."""
    with _schedules() as schedules:
        rows = schedules.all()
    return print_json(rows) if as_json else out.print(render.schedules(rows))


@commands.command()
def add(
    name: Annotated[str, typer.Argument(help="Of the schedule, such as nightly-report.")],
    cron: Annotated[str, typer.Argument(help="Minute, hour, day, month, weekday: '30 2 * * mon-fri'; or @daily.")],
    task: Annotated[str, typer.Argument(help="Name of the task to submit at each tick.")],
    parameters: Pairs = None,
    parameters_json: ParametersJson = None,
    time_zone: Annotated[str, typer.Option(help="By whose clocks, such as Europe/Oslo.")] = "UTC",
    description: Annotated[str, typer.Option(help="What the user reads beside the progress bar.")] = "",
    owner: Annotated[
        int, typer.Option(help="Associate id; 0 = system.", min=SMALLEST_INTEGER, max=LARGEST_INTEGER)
    ] = 0,
    database_tag: Annotated[str, typer.Option(help="Only workers of this database take its tasks.")] = "",
) -> None:
    """Add a schedule. Its tasks never overlap: a tick is skipped while the task of the last one is open."""
    values = read_parameters(parameters or [], parameters_json)
    command = _command(task, values, description, owner, database_tag)
    with _schedules() as schedules:
        next_at = schedules.add(name, cron, time_zone, command)
    out.print(f"Schedule {render.escape(name)}: first run at {render.clock(next_at)}.")


@commands.command()
def remove(name: Name) -> None:
    """Forget a schedule; the tasks that it submitted stay."""
    with _schedules() as schedules:
        schedules.remove(name)
    out.print(f"Schedule {render.escape(name)} is gone.")


@commands.command()
def pause(name: Name) -> None:
    """Let ticks pass until the schedule is resumed."""
    with _schedules() as schedules:
        schedules.pause(name)
    out.print(f"Schedule {render.escape(name)} is paused.")


@commands.command()
def resume(name: Name) -> None:
    """Go on with the next tick; those that passed meanwhile stay passed."""
    with _schedules() as schedules:
        next_at = schedules.resume(name)
    out.print(f"Schedule {render.escape(name)}: next run at {render.clock(next_at)}.")


@contextmanager
def _schedules() -> Iterator[Schedules]:
    from projections.schedules import Schedules

    with database() as engine:
        yield Schedules(engine)


def _command(task: str, parameters: dict[str, object], description: str, owner: int, tag: str) -> SubmitTask:
    """Check what is to be submitted as if it were submitted now."""
    from batchtask.definitions import Registry
    from batchtask.payloads import PayloadStore
    from producer.submission import Preparer
    from producer.task_request import TaskRequest

    preparer = Preparer(Registry.installed(), PayloadStore(Settings.read(os.environ).payload_url))
    return preparer.command(
        TaskRequest(name=task, parameters=parameters, description=description or task, owner=owner, database_tag=tag)
    )
