"""All commands in one table; what they do is in the modules beside this."""

from __future__ import annotations

import sys

import typer

from batchtask.cli import care, checks, dead, operations, parts, schedules, secrets, tasks, users
from batchtask.cli.exits import Exit
from batchtask.errors import (
    BatchTaskError,
    ScheduleNotFound,
    TaskNotFound,
    TokenNotFound,
    UserNotFound,
    WorkerNotFound,
)

app = typer.Typer(
    name="batchtask",
    help="The batch task server: submit, watch and run long tasks. Settings: BATCHTASK_…, see docs/reference.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

RUNNING, TASKS, CARE = "Run the parts", "Work with tasks", "Look after the system"

app.command(rich_help_panel=RUNNING)(parts.up)
app.command(rich_help_panel=RUNNING)(parts.worker)
app.command(rich_help_panel=RUNNING)(parts.projections)
app.command(rich_help_panel=RUNNING)(parts.web)
app.command(rich_help_panel=TASKS)(tasks.submit)
app.command(rich_help_panel=TASKS)(tasks.status)
app.command(rich_help_panel=TASKS)(tasks.watch)
app.command(rich_help_panel=TASKS)(tasks.history)
app.command(rich_help_panel=TASKS)(tasks.cancel)
app.add_typer(schedules.commands, rich_help_panel=TASKS)
app.command(rich_help_panel=CARE)(checks.migrate)
app.command(rich_help_panel=CARE)(checks.doctor)
app.command(rich_help_panel=CARE)(checks.topology)
app.command(rich_help_panel=CARE)(operations.workers)
app.command(rich_help_panel=CARE)(operations.pause)
app.command(rich_help_panel=CARE)(operations.resume)
app.command(rich_help_panel=CARE)(care.reconcile)
app.command(rich_help_panel=CARE)(care.prune)
app.add_typer(dead.commands, rich_help_panel=CARE)
app.add_typer(secrets.commands, rich_help_panel=CARE)
app.add_typer(users.commands, rich_help_panel=CARE)
app.command(rich_help_panel=CARE)(checks.rebuild)


def run() -> None:
    """Run one command and exit."""
    try:
        app()
    except (TaskNotFound, ScheduleNotFound, UserNotFound, TokenNotFound, WorkerNotFound) as error:
        _complain(error, Exit.NOT_FOUND)
    except BatchTaskError as error:
        _complain(error, Exit.CANNOT_RUN)
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell reports a program that Ctrl-C ended


def _complain(error: BatchTaskError, code: Exit) -> None:
    sys.stderr.write(f"batchtask: {error}\n")
    sys.exit(code)
