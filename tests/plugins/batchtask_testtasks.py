"""Tasks for tests and benchmarks, found like any customer's plug-in: by being on the path with its metadata."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import msgspec

from batchtask.definitions import Acknowledge, TaskContext, TaskFailure, task
from batchtask.outcomes import Outcome, Succeeded
from batchtask.retrying import UNLIMITED, RetryPolicy
from tests import crashing

# The children of a worker import this module, and nothing else of the tests.
crashing.install(os.environ)

FOREVER_SECONDS = 600.0


class At(msgspec.Struct, frozen=True, kw_only=True):
    """Where a task leaves its trace."""

    path: str


class Append(At, frozen=True, kw_only=True):
    seconds: float = 0.0  #: to sleep after the line is written


class Die(At, frozen=True, kw_only=True):
    times: int = 1  #: attempts that end like that


@task("noop", timeout=600)
def noop(context: TaskContext) -> None:
    """Do nothing."""


@task("stamp", timeout=600)
def stamp(context: TaskContext) -> str:
    """Answer the time at which the body ran, in Unix seconds."""
    return repr(time.time())


@task("append", timeout=600)
def append(context: TaskContext, parameters: Append) -> str:
    """Append the task's id to a file: an effect that shows how often the task ran."""
    _append(parameters.path, str(context.task_id))
    time.sleep(parameters.seconds)
    return "appended"


@task("gate", timeout=600)
def gate(context: TaskContext, parameters: At) -> str:
    """Append the attempt's number to a file, then wait until `<path>.open` exists or a stop is asked for.

    On a broker with the usual timeout its message is held.
    """
    _append(parameters.path, str(context.attempt))
    while not Path(f"{parameters.path}.open").exists():
        context.check_cancelled()
        time.sleep(0.01)
    return "went through"


@task("gate-leased", acknowledge=Acknowledge.LEASE)
def gate_leased(context: TaskContext, parameters: At) -> str:
    """As `gate`, without a limit, and with no message held on any broker."""
    return str(gate.function(context, parameters))


@task("stuck", timeout=1)
def stuck(context: TaskContext, parameters: At) -> None:
    """Never end, and start a process that would not end either."""
    _append(parameters.path, str(_start_sleeper()))
    time.sleep(FOREVER_SECONDS)


@task("grandchild", timeout=600)
def grandchild(context: TaskContext, parameters: At) -> None:
    """Start a process, fork another one, write both ids into a file, and never end."""
    sleeper, forked = _start_sleeper(), os.fork()
    if forked == 0:
        time.sleep(FOREVER_SECONDS)
        os._exit(0)
    _append(parameters.path, f"{sleeper} {forked}")
    time.sleep(FOREVER_SECONDS)


@task("die", timeout=600)
def die(context: TaskContext, parameters: Die) -> str:
    """Kill the own process on the first attempts."""
    _append(parameters.path, str(os.getpid()))
    if context.attempt <= parameters.times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@task("raise", timeout=600)
def raise_error(context: TaskContext) -> None:
    """Be broken."""
    raise KeyError("no such thing")


@task("raise-unprintable", timeout=600)
def raise_unprintable(context: TaskContext) -> None:
    """Raise an error that cannot even tell what it is."""

    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    raise UnprintableError


@task("refuse", timeout=600)
def refuse(context: TaskContext) -> None:
    """Fail as expected."""
    raise TaskFailure("The selection is empty: add members to it.")


@task("exit", timeout=600)
def exit_process(context: TaskContext) -> None:
    """Try to leave the process."""
    raise SystemExit(3)


@task("answer-number", timeout=600)  # type: ignore[arg-type]
def answer_number(context: TaskContext) -> int:
    """Return what no task may return."""
    return 42


@task("talk", timeout=600)
def talk(context: TaskContext) -> Outcome:
    """Say a lot: progress, log lines, text that databases do not like."""
    context.progress(40.7, "Half-way \0 \udcff")
    context.log.info("reading %s", "the list")
    context.log.debug("not kept")
    context.log.error("a bad \0 line \udcff")
    return Succeeded(response="done \0 with \udcff" + "!" * 300, file_name="/files/\udcff.pdf")


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    steps: int = 3  #: rows to insert, each in a transaction of its own
    seconds: float = 0.0  #: to sleep between two of them
    fail_attempts: int = 0  #: attempts that raise after their first step


def tally_up(context: TaskContext, parameters: Tally) -> str:
    """Insert one row for each step into the table `tally`; a later attempt goes on where the last one was stopped."""
    from sqlalchemy import text

    done = (context.checkpoint or {"done": 0})["done"]
    for step in range(done, parameters.steps):
        context.check_cancelled()
        with context.transaction() as session:
            session.execute(
                text("INSERT INTO tally (task_id, step) VALUES (:task_id, :step)"),
                {"task_id": context.task_id, "step": step},
            )
            context.save_checkpoint({"done": step + 1})
        if context.attempt <= parameters.fail_attempts:
            raise ConnectionError("not this time")
        # Not `time.sleep`, which fails under a clock that libfaketime has moved.
        threading.Event().wait(parameters.seconds)
    return f"{parameters.steps} rows"


QUICK_RETRIES = RetryPolicy(attempts=5, lost_attempts=UNLIMITED, first_delay_seconds=0.1)

tally = task("tally", timeout=60, retry=QUICK_RETRIES)(tally_up)
tally_leased = task("tally-leased", retry=QUICK_RETRIES, acknowledge=Acknowledge.LEASE)(tally_up)


@task("append-once", timeout=60, retry=QUICK_RETRIES)
def append_once(context: TaskContext, parameters: At) -> str:
    """Append the task's id to a file through the effect ledger, and look there when in doubt."""
    line, file = str(context.task_id), Path(parameters.path)
    return context.effect(
        "line",
        lambda: _append(parameters.path, line),
        ask=lambda: "found" if file.exists() and line in file.read_text().split() else None,
    )


def _append(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(line + "\n")


def _start_sleeper() -> int:
    return subprocess.Popen(["sleep", str(FOREVER_SECONDS)]).pid
