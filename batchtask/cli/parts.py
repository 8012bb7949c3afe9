"""Running the parts: each alone, or all together in one terminal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from batchtask.cli.context import engine_on
from batchtask.settings import Settings

#: Data of the private servers that `up` starts, below the folder it is called in.
DATA_FOLDER = Path("var/up")


def worker(
    max_tasks: Annotated[int | None, typer.Option(help="Most tasks at a time; the default is 16.")] = None,
    task_timeout: Annotated[float | None, typer.Option(help="Hard limit for every task in seconds.")] = None,
) -> None:
    """Run one worker until a signal comes. The first lets running tasks finish, the second stops them."""
    from worker.run import run

    raise typer.Exit(run(os.environ, max_tasks=max_tasks, task_timeout=task_timeout))


def projections() -> None:
    """Run one projections process until a signal comes."""
    from projections.run import run

    raise typer.Exit(run(os.environ))


def web(
    host: Annotated[str | None, typer.Option(help="Address to listen on; the default is 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; the default is 8080.")] = None,
) -> None:
    """Run one web process: the APIs, the indicator and the pages. Until a signal comes."""
    from batchtask.web.run import run

    raise typer.Exit(run(os.environ, web_host=host, web_port=port))


def up(
    workers: Annotated[int, typer.Option(help="Worker processes.")] = 1,
    data: Annotated[Path, typer.Option(help="Folder for the data of servers that this starts.")] = DATA_FOLDER,
) -> None:
    """Run everything in this terminal until Ctrl-C: broker and database unless URLs name them, and all parts.

    A database that this starts is filled with the sample CRM the first time.
    """
    from batchtask.cli.sample import sample_logins
    from batchtask.cli.system import running_system

    console = Console(stderr=True, highlight=False)
    Settings.read(os.environ)  # a wrong setting is told before anything starts
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with running_system(
        data, os.environ, workers=workers, announce=console.print, on_line=_printer(console), web=True
    ) as system:
        with engine_on(system.settings) as engine:
            logins = sample_logins(engine, data.absolute(), os.environ)
        console.print("Ready. In another terminal:", style="bold")
        for name, value in system.exports.items():
            console.print(f"  export {name}={value!r}", soft_wrap=True)
        console.print("  batchtask submit sleep seconds=5 --wait")
        console.print(f"Pages: {system.parts[-1].url}", style="bold")
        for login in logins:
            console.print(f"  log in as {login.name} with {login.password}  ({login.what} of the sample CRM)")
        if not logins:
            console.print("  let somebody in: batchtask user password NAME")
        console.print("Ctrl-C stops everything.")
        try:
            while not stopped.wait(0.5):
                system.require_alive()
        except KeyboardInterrupt:
            console.print("Stopping …")


def _printer(console: Console) -> Callable[[str, str], None]:
    lock = threading.Lock()

    def show(part: str, line: str) -> None:
        with lock:
            console.print(f"[cyan]{part:<12}[/] {line}", soft_wrap=True)

    return show
