"""Commands about what died: tasks that failed or were stopped, and messages that were set aside."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchtask.cli import render, render_care
from batchtask.cli.context import (
    LARGEST_INTEGER,
    SMALLEST_INTEGER,
    AsJson,
    TaskKey,
    database,
    find_task_id,
    out,
    print_json,
    queries,
    read_key,
)
from batchtask.cli.exits import Exit
from batchtask.cli.parameters import read_parameters
from batchtask.cli.times import read_moment
from batchtask.errors import BatchTaskError, SettingsError
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from projections.dead_tasks import CAUSES, STOPPED, DeadFilter, DeadTask, DeadTasks

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from batchtask.replaying import Replays

commands = typer.Typer(
    name="dead",
    help="Look at tasks that failed or were stopped, run them again; look at messages that were set aside.",
    no_args_is_help=True,
)

MOST_ROWS = 100_000
#: Tasks that are replayed in one transaction.
CHUNK = 500

Name = Annotated[str | None, typer.Option(help="Only tasks of this definition.")]
Owner = Annotated[
    int | None, typer.Option(help="Only tasks of this associate.", min=SMALLEST_INTEGER, max=LARGEST_INTEGER)
]
Since = Annotated[str | None, typer.Option(help="Only what ended since: 30m, 2h, 3d ago, or 2026-03-01T12:00.")]
Until = Annotated[str | None, typer.Option(help="Only what ended before; as --since.")]
Causes = Annotated[list[str] | None, typer.Option("--cause", help=f"Only with this cause: {', '.join(CAUSES)}.")]
Limit = Annotated[int, typer.Option(help="How many, newest first.", min=1, max=MOST_ROWS)]


@commands.command("list")
def show_all(
    name: Name = None,
    owner: Owner = None,
    since: Since = None,
    until: Until = None,
    cause: Causes = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Show tasks that failed or were stopped, newest first."""
    wanted = _filter(name, owner, since, until, cause)
    with database() as engine:
        rows = DeadTasks(engine).tasks(wanted, limit=limit)
    return print_json(rows) if as_json else out.print(render_care.dead_tasks(rows))


@commands.command()
def show(task: TaskKey, as_json: AsJson = False) -> None:
    """Show every attempt of one task: start, end, worker, error with traceback, log lines."""
    with database() as engine:
        report = DeadTasks(engine).report(read_key(task))
    return print_json(report) if as_json else out.print(render_care.task_report(report))


@commands.command()
def replay(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Ids or numbers; none = those that the options say.")
    ] = None,
    name: Name = None,
    owner: Owner = None,
    since: Since = None,
    until: Until = None,
    cause: Causes = None,
    everything: Annotated[bool, typer.Option("--all", help="All that failed; not those that were stopped.")] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value: this parameter, changed; a JSON value counts as such."),
    ] = None,
    by: Annotated[int, typer.Option(help="Associate id of who asks.", min=0, max=LARGEST_INTEGER)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Begin dead tasks anew, with all their budgets, perhaps with other parameters; their histories stay.

    Options choose among those that failed; those that somebody stopped are left alone, unless with --cause stopped.
    """
    # Who stopped a task does not expect it back.
    causes = cause or [known for known in CAUSES if known != STOPPED]
    wanted = _filter(name, owner, since, until, causes)
    chosen = any(option is not None for option in (name, owner, since, until)) or bool(cause) or everything
    if bool(tasks) == chosen:
        raise SettingsError(
            ["name tasks, or choose by --name, --owner, --since, --until, --cause or --all; not both"]
        )
    values = read_parameters(changes or [], None)
    with database() as engine:
        task_ids = _named(tasks) if tasks else _chosen(DeadTasks(engine), wanted)
        if dry_run or not task_ids:
            _tell_plan(task_ids, _refusals(engine, task_ids), as_json=as_json)
            return
        if not tasks and not yes:
            typer.confirm(f"Replay {_count(task_ids)}?", abort=True, err=True)
        refused = _replay(engine, task_ids, by, values)
    _tell_outcome(task_ids, refused, as_json=as_json)


@commands.command()
def messages(limit: Limit = 100, as_json: AsJson = False) -> None:
    """Show messages that were set aside, and why."""
    with queries() as found:
        letters = found.dead_letters(limit)
    return print_json(letters) if as_json else out.print(render.dead_letters(letters))


def _named(keys: Sequence[str]) -> list[TaskId]:
    with queries() as found:
        return list(dict.fromkeys(find_task_id(found, key) for key in keys))


def _chosen(dead: DeadTasks, wanted: DeadFilter) -> list[TaskId]:
    return [TaskId(row.task_id) for page in _pages(dead, wanted) for row in page]


def _pages(dead: DeadTasks, wanted: DeadFilter) -> Iterator[list[DeadTask]]:
    before: int | None = None
    while page := dead.tasks(wanted, limit=CHUNK, before=before):
        yield page
        before = page[-1].batchtask_id


def _replays(engine: Engine) -> Replays:
    from batchtask.clock import DatabaseClock
    from batchtask.definitions import Registry
    from batchtask.payloads import PayloadStore
    from batchtask.replaying import Replays
    from batchtask.store import EventStore

    clock = DatabaseClock(engine)
    clock.sync()
    payloads = PayloadStore(Settings.read(os.environ).payload_url)
    return Replays(EventStore(engine), Registry.installed(), payloads, clock.now)


def _refusals(engine: Engine, task_ids: Sequence[TaskId]) -> dict[TaskId, BatchTaskError]:
    replays = _replays(engine)
    refused: dict[TaskId, BatchTaskError] = {}
    for start in range(0, len(task_ids), CHUNK):
        refused |= replays.refusals(task_ids[start : start + CHUNK])
    return refused


def _replay(
    engine: Engine, task_ids: Sequence[TaskId], by: int, changes: Mapping[str, Any]
) -> dict[TaskId, BatchTaskError]:
    """Replay and bring the rows up to date; return what was refused."""
    from projections.projector import Projector

    replays, projector = _replays(engine), Projector(engine)
    refused: dict[TaskId, BatchTaskError] = {}
    for start in range(0, len(task_ids), CHUNK):
        replayed = replays.replay_many(task_ids[start : start + CHUNK], requested_by=by, changes=changes)
        projector.project(event for history in replayed.histories.values() for event in history)
        refused |= replayed.refused
    return refused


def _tell_plan(task_ids: Sequence[TaskId], refused: Mapping[TaskId, BatchTaskError], *, as_json: bool) -> None:
    planned = [task_id for task_id in task_ids if task_id not in refused]
    if as_json:
        print_json({"would_replay": planned})
    else:
        for task_id in planned:
            print(task_id)
        out.print(f"Would replay {_count(planned)}." if task_ids else "No dead task is like that.")
    _tell_refused(refused)


def _tell_outcome(task_ids: Sequence[TaskId], refused: Mapping[TaskId, BatchTaskError], *, as_json: bool) -> None:
    replayed = [task_id for task_id in task_ids if task_id not in refused]
    if as_json:
        print_json({"replayed": replayed, "refused": {str(key): str(error) for key, error in refused.items()}})
    else:
        hint = "; `batchtask watch` shows how they get on" if replayed else ""
        out.print(f"Replayed {len(replayed)} of {_count(task_ids)}{hint}.")
    _tell_refused(refused)


def _tell_refused(refused: Mapping[TaskId, BatchTaskError]) -> None:
    for error in refused.values():
        sys.stderr.write(f"batchtask: {error}\n")
    if refused:
        raise typer.Exit(Exit.CANNOT_RUN)


def _count(task_ids: Sequence[TaskId]) -> str:
    return "1 task" if len(task_ids) == 1 else f"{len(task_ids)} tasks"


def _filter(
    name: str | None, owner: int | None, since: str | None, until: str | None, causes: Sequence[str] | None
) -> DeadFilter:
    unknown = [cause for cause in causes or () if cause not in CAUSES]
    if unknown:
        raise SettingsError([f"{unknown[0]!r} is no cause; use {', '.join(CAUSES)}"])
    return DeadFilter(
        name=name,
        owner=owner,
        since=read_moment(since) if since else None,
        until=read_moment(until) if until else None,
        causes=causes or None,
    )
