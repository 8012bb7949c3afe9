"""Commands about tasks: submit, status, watch, history, cancel."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from batchtask import upcasters
from batchtask.cli import render
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
from batchtask.cli.parameters import Pairs, ParametersJson, read_parameters
from batchtask.cli.watching import watch_tasks
from batchtask.definitions import CancellationBehaviour
from batchtask.errors import SettingsError
from batchtask.events import RecordedEvent, TaskSubmitted
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from projections.names import login_names
from projections.queries import Queries, TaskFilter
from projections.rows import State
from projections.telling import people_of

Owner = Annotated[
    int | None, typer.Option(help="Only tasks of this associate.", min=SMALLEST_INTEGER, max=LARGEST_INTEGER)
]
Associate = partial(typer.Option, min=SMALLEST_INTEGER, max=LARGEST_INTEGER)
#: More at a time belongs into a program of one's own, with `submit_many`, and into a database client.
MOST_TASKS, MOST_ROWS = 100_000, 100_000

#: Failures that are told in full behind the bars.
MOST_FAILURES = 10

Timeout = Annotated[float | None, typer.Option(help="Give up waiting after this many seconds.")]


def submit(
    name: Annotated[str, typer.Argument(help="Of the task, such as mail-merge.")],
    parameters: Pairs = None,
    parameters_json: ParametersJson = None,
    description: Annotated[str, typer.Option(help="What the user reads beside the progress bar.")] = "",
    owner: Annotated[int, Associate(help="Associate id of the user; 0 = system.")] = 0,
    count: Annotated[int, typer.Option(help="Submit this many of it.", min=1, max=MOST_TASKS)] = 1,
    start_at: Annotated[
        str | None, typer.Option(help="Not before this time, such as 2026-03-01T07:00; local without a time zone.")
    ] = None,
    delay: Annotated[float | None, typer.Option(help="Not before so many seconds from now.", min=0)] = None,
    deduplication_key: Annotated[
        str | None, typer.Option(help="Submissions with one key are one task: the first counts.")
    ] = None,
    task_id: Annotated[
        str | None, typer.Option(help="Of the task, to ask again after an answer that did not come.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch until it has finished.")] = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Submit a task and print its id."""
    from producer import TaskRequest
    from producer.blocking import Producer

    if deduplication_key is not None and count > 1:
        raise SettingsError(["--deduplication-key makes one task of all submissions; leave out --count"])
    if task_id is not None and count > 1:
        raise SettingsError(["--task-id is of one task; leave out --count"])
    values = read_parameters(parameters or [], parameters_json)
    requests = [
        TaskRequest(
            name=name,
            parameters=values,
            description=description or name,
            owner=owner,
            start_at=None if start_at is None else _time(start_at),
            delay_seconds=delay,
            deduplication_key=deduplication_key,
        )
        for _ in range(count)
    ]
    if task_id is not None:
        requests = [replace(requests[0], task_id=_task_id(task_id))]
    with Producer(Settings.read(os.environ)) as producer:
        task_ids = producer.submit_many(requests)
    if as_json:
        print_json({"task_ids": task_ids})
    else:
        for submitted in task_ids:
            print(submitted)
    if wait:
        _watch(task_ids, timeout, quiet=as_json)


def _task_id(text: str) -> TaskId:
    try:
        return TaskId(UUID(text))
    except ValueError:
        raise SettingsError([f"{text!r} is no id of a task: give a UUID"]) from None


def status(
    task: Annotated[str | None, typer.Argument(help="One task's id or number; none = a list.")] = None,
    owner: Owner = None,
    state: Annotated[str | None, typer.Option(help="New, Started, Succeeded or Failed.")] = None,
    name: Annotated[str | None, typer.Option(help="Only tasks of this definition.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=MOST_ROWS)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show one task, or the newest ones."""
    with queries() as found:
        if task is not None:
            row = found.task(read_key(task))
            lines = found.log(TaskId(row.task_id))
            return print_json({"task": row, "log": lines}) if as_json else out.print(render.task(row, lines))
        wanted = TaskFilter(owner=owner, states=_states(state), name=name, limit=limit)
        rows = found.tasks(wanted)
        return print_json(rows) if as_json else out.print(render.tasks(rows))


def watch(
    tasks: Annotated[list[str] | None, typer.Argument(help="Ids or numbers; none = all that are open now.")] = None,
    owner: Owner = None,
    timeout: Timeout = None,
) -> None:
    """Show progress bars until all tasks have finished."""
    with queries() as found:
        if tasks:
            task_ids = list(dict.fromkeys(find_task_id(found, task) for task in tasks))
        else:
            wanted = TaskFilter(owner=owner, states=(State.New, State.Aquired, State.Started), limit=30)
            task_ids = [TaskId(row.task_id) for row in found.tasks(wanted)]
    if not task_ids:
        out.print("No task is open.")
        return
    _watch(task_ids, timeout)


def history(task: TaskKey, as_json: AsJson = False) -> None:
    """Show everything that happened to a task."""
    with database() as engine:
        found = Queries(engine)
        events = found.history(find_task_id(found, task))
        names = login_names(engine, people_of(event.body for event in events))
    if as_json:
        print_json(
            [
                {
                    "version": event.version,
                    "occurred_at": event.occurred_at,
                    "type": upcasters.events.name(event.body),
                    "data": event.body,
                }
                for event in events
            ]
        )
    else:
        out.print(render.history(events, names))


def cancel(
    task: TaskKey,
    by: Annotated[int, Associate(help="Associate id of who asks; 0 = system.")] = 0,
    reason: Annotated[str, typer.Option(help="Kept in the task's history.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Kill it if it runs, also a task that says it cannot be cancelled.")
    ] = False,
) -> None:
    """Ask for a task to stop: at once when it waits, at its next safe point when it runs, or by force."""
    from producer.blocking import Producer

    with queries() as found:
        row = found.task(read_key(task))
        refuses = _cannot_cancel(found.history(TaskId(row.task_id)))
    if row.finished:
        out.print(f"Task {row.task_id} has ended already; nothing was asked.")
        return
    with Producer(Settings.read(os.environ)) as producer:
        producer.cancel(TaskId(row.task_id), requested_by=by, reason=reason, force=force)
    if refuses and not force:
        out.print(f"Task {row.task_id} goes on: its definition says that it cannot be cancelled. --force kills it.")
        raise typer.Exit(Exit.CANNOT_RUN)
    stop = "to be killed, if it runs" if force else "to stop"
    out.print(f"Asked for task {row.task_id} {stop}; `batchtask watch {row.task_id}` shows when it has ended.")


def _watch(task_ids: list[TaskId], timeout: float | None, *, quiet: bool = False) -> None:
    deadline = None if timeout is None else time.monotonic() + timeout
    with queries() as found:
        rows = watch_tasks(found, task_ids, deadline=deadline, quiet=quiet)
    if any(not row.finished for row in rows) or len(rows) < len(task_ids):
        raise typer.Exit(Exit.NOT_IN_TIME)
    failed = [row for row in rows if row.state is State.Failed]
    for row in failed[:MOST_FAILURES]:  # the bar shows as much of the reason as fits
        typer.echo(f"{row.description or row.name}: {row.response}", err=True)
    if failed:
        raise typer.Exit(Exit.TASK_FAILED)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise SettingsError([f"--start-at {text!r} is no time; write it like 2026-03-01T07:00 or …+01:00"]) from None


def _cannot_cancel(history: Sequence[RecordedEvent]) -> bool:
    first = history[0].body
    return isinstance(first, TaskSubmitted) and first.cancellation == CancellationBehaviour.CannotCancel


def _states(text: str | None) -> list[State] | None:
    if text is None:
        return None
    states = {state.name.lower(): state for state in State}
    if text.lower() not in states:
        raise SettingsError([f"{text!r} is no state; use {', '.join(state.name for state in State)}"])
    return [states[text.lower()]]
