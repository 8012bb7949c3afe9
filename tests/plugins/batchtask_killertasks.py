"""A test task that kills its worker, and its company, whose first attempts only such a death can end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
from batchtask_testtasks import FOREVER_SECONDS, At

from batchtask.definitions import TaskContext, task

#: In which the killer waits for company. Afterwards a whole worker has died often enough for all of them.
ATTEMPTS_IN_COMPANY = 2


class Kill(At, frozen=True, kw_only=True):
    company: tuple[str, ...] = ()  #: traces of the tasks that shall run beside it
    seconds: float = 0.3  #: what an attempt without company takes before it kills


class Take(At, frozen=True, kw_only=True):
    seconds: float  #: what the first attempt takes that ends


@task("kill-worker")
def kill_worker(context: TaskContext, parameters: Kill) -> None:
    """Kill the worker in every attempt."""
    append_attempt(context, parameters.path)
    if context.attempt <= ATTEMPTS_IN_COMPANY:
        while not all(has_begun(path, context.attempt) for path in parameters.company):
            time.sleep(0.01)
    else:
        time.sleep(parameters.seconds)
    os.kill(worker_pid(), signal.SIGKILL)
    time.sleep(FOREVER_SECONDS)


@task("company")
def company(context: TaskContext, parameters: Take) -> str:
    """Run for ever in the attempts that have company."""
    append_attempt(context, parameters.path)
    time.sleep(FOREVER_SECONDS if context.attempt <= ATTEMPTS_IN_COMPANY else parameters.seconds)
    return "unharmed"


def append_attempt(context: TaskContext, path: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{context.attempt}\n")


def has_begun(path: str, attempt: int) -> bool:
    return Path(path).exists() and f"{attempt}\n" in Path(path).read_text()


def worker_pid() -> int:
    """The parent of the fork server that made this process."""
    return psutil.Process(os.getppid()).ppid()
