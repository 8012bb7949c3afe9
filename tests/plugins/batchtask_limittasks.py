"""Test tasks that run into limits, start processes, fail in chosen ways, or do not listen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from batchtask_testtasks import FOREVER_SECONDS, At

from batchtask.definitions import CancellationBehaviour, OnSoftLimit, TaskContext, TaskFailure, TimeIsShort, task
from batchtask.outcomes import Outcome, Snoozed, Succeeded
from batchtask.retrying import RetryPolicy

MIB = 2**20

kept: list[bytearray] = []  # outlives the task that put it here


class Take(At, frozen=True, kw_only=True):
    mb: int
    where: str = "here"  #: here, in another process, or kept when the task has ended


class How(At, frozen=True, kw_only=True):
    how: str = ""
    times: int = 1  #: attempts that do so


@task("notices", soft_timeout=1)
def notices(context: TaskContext, parameters: At) -> str:
    """Work until time is short."""
    trace(parameters.path, "began")
    while not context.time_is_short:
        time.sleep(0.01)
    return "stopped in time"


@task("interrupted", soft_timeout=1, on_soft_limit=OnSoftLimit.RAISE, retry=RetryPolicy(attempts=3))
def interrupted(context: TaskContext, parameters: How) -> str:
    """Never end by itself."""
    trace(parameters.path, "began")
    try:
        if parameters.how == "talk":
            talk_for_ever(context)
        if parameters.how == "wait":
            subprocess.run(["sleep", str(FOREVER_SECONDS)], check=False)
        if parameters.how == "effect":
            context.effect("print", lambda: print_slowly(parameters.path))
        if parameters.how == "spin":
            while True:
                pass
        time.sleep(FOREVER_SECONDS)
    except TimeIsShort:
        trace(parameters.path, "interrupted")
        if parameters.how != "save":
            raise
        time.sleep(0.3)
    return "saved"


@task("brief", soft_timeout=1, on_soft_limit=OnSoftLimit.RAISE)
def brief(context: TaskContext) -> str:
    """Be interrupted or not, and log all the same."""
    for number in range(20):
        context.log.info("%s", number)
        sum(range(1000))
    return "done"


@task("leaves-processes")
def leaves_processes(context: TaskContext, parameters: How) -> str:
    """Start a process in a session of its own and a daemon; return, stay, or die."""
    trace(parameters.path, str(subprocess.Popen(["sleep", str(FOREVER_SECONDS)], start_new_session=True).pid))
    daemon(parameters.path)
    while len(Path(parameters.path).read_text().split()) < 2:
        time.sleep(0.01)
    trace(parameters.path, "began")
    if parameters.how == "stay":
        time.sleep(FOREVER_SECONDS)
    if parameters.how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return "left"


@task("takes-memory", memory_limit_mb=100, retry=RetryPolicy(memory_attempts=2, first_delay_seconds=0.1))
def takes_memory(context: TaskContext, parameters: Take) -> str:
    """Take memory and wait for the gate."""
    if parameters.where == "elsewhere":
        code = f"x = bytearray({parameters.mb * MIB}); import time; time.sleep({FOREVER_SECONDS})"
        subprocess.Popen([sys.executable, "-c", code])
        taken = bytearray()
    else:
        taken = bytearray(parameters.mb * MIB)
    if parameters.where == "kept":
        kept.append(taken)
    trace(parameters.path, str(os.getpid()))
    while not Path(f"{parameters.path}.open").exists():
        time.sleep(0.01)
    return f"{os.getpid()}"


@task("deaf", timeout=600)
def deaf(context: TaskContext, parameters: At) -> str:
    """Ignore every wish to cancel until the gate is open."""
    trace(parameters.path, str(context.attempt))
    while not Path(f"{parameters.path}.open").exists():
        time.sleep(0.01)
    return "done all the same"


@task("unstoppable", timeout=600, cancellation=CancellationBehaviour.CannotCancel)
def unstoppable(context: TaskContext, parameters: At) -> str:
    """As `deaf`, and its definition says so."""
    return deaf.function(context, parameters)  # type: ignore[return-value]


class OutOfPaperError(TaskFailure):
    """Worth another try."""


@task(
    "flaky",
    timeout=1,
    retry=RetryPolicy(
        attempts=3,
        time_limit_attempts=2,
        lost_attempts=2,
        first_delay_seconds=0.1,
        jitter=0,
        retry_on=(OSError, OutOfPaperError),
        never_on=(FileNotFoundError,),
    ),
)
def flaky(context: TaskContext, parameters: How) -> str:
    """Fail in a chosen way on the first attempts."""
    trace(parameters.path, str(context.attempt))
    if context.attempt > parameters.times:
        return "recovered"
    match parameters.how:
        case "never":
            raise FileNotFoundError("gone for good")
        case "other":
            raise ValueError("not in the policy")
        case "expected":
            raise TaskFailure("The list is empty.")
        case "named":
            raise OutOfPaperError("Put paper in.")
        case "slow":
            time.sleep(FOREVER_SECONDS)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
    raise OSError("try again")


@task("dozes")
def dozes(context: TaskContext, parameters: How) -> Outcome:
    """Ask for later so many times."""
    trace(parameters.path, str(context.attempt))
    if text_lines(parameters.path) <= parameters.times:
        return Snoozed(seconds=0.1, reason="the printer is off")
    return Succeeded(response="printed")


@task("pid")
def pid(context: TaskContext) -> str:
    """Answer in which process it ran."""
    return str(os.getpid())


def print_slowly(path: str) -> str:
    time.sleep(1.5)
    trace(path, "printed")
    return "page 1"


def text_lines(path: str) -> int:
    return Path(path).read_text().count("\n")


def talk_for_ever(context: TaskContext) -> None:
    number = 0
    while True:
        context.log.info("%s", number)
        number += 1


def daemon(path: str) -> None:
    """Start a process as daemons do: a session of its own, and no parent that stays."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            trace(path, f"{os.getpid()}")
            time.sleep(FOREVER_SECONDS)
        os._exit(0)
    os.wait()


def trace(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(line + "\n")
