"""Test tasks that wait: for their next pass, for their turn, for a better time."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from batchtask.definitions import TaskContext, task
from batchtask.outcomes import Outcome, Snoozed, Succeeded
from batchtask.retrying import RetryPolicy


class Passes(msgspec.Struct, frozen=True, kw_only=True):
    path: str  #: where every call leaves a line
    calls: int  #: the call that says that this was the last pass


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    path: str  #: where begin and end of every run leave a line
    seconds: float = 0.2  #: that a run takes


@task("passes", is_multi_pass=True, minimum_sleep_time=1)
def passes(context: TaskContext, parameters: Passes) -> Outcome | str:
    """Be called again and again until enough calls were made."""
    calls = _append(parameters.path, f"{context.attempt}")
    return Succeeded(response=f"{calls} passes") if calls >= parameters.calls else f"pass {calls}"


@task("stumbling-passes", is_multi_pass=True, retry=RetryPolicy(attempts=2, first_delay_seconds=0.1))
def stumbling_passes(context: TaskContext, parameters: Passes) -> Outcome | None:
    """Fail in the first try of every pass."""
    calls = _append(parameters.path, f"{context.attempt}")
    if context.attempt == 1:
        raise RuntimeError("stumbled")
    return Succeeded() if calls >= parameters.calls else None


@task("falling-passes", is_multi_pass=True, retry=RetryPolicy(attempts=2, first_delay_seconds=0.1))
def falling_passes(context: TaskContext, parameters: Passes) -> None:
    """Fail for good after some passes."""
    if _append(parameters.path, f"{context.attempt}") >= parameters.calls:
        raise RuntimeError("fell")


@task("snoozing")
def snoozing(context: TaskContext, parameters: Passes) -> Outcome:
    """Ask to be called later until enough calls were made."""
    calls = _append(parameters.path, f"{context.attempt}")
    return Succeeded() if calls >= parameters.calls else Snoozed(seconds=0.1, reason="not yet")


@task("turn", start_interval=1, timeout=60)
def turn(context: TaskContext, parameters: Turn) -> None:
    """Take a turn, and leave its begin and its end in a file."""
    _append(parameters.path, f"begin {context.task_id} {time.time()}")
    time.sleep(parameters.seconds)
    _append(parameters.path, f"end {context.task_id} {time.time()}")


def _append(path: str, line: str) -> int:
    """Append a line and return how many there are now."""
    with Path(path).open("a+") as file:
        file.write(line + "\n")
        file.seek(0)
        return len(file.readlines())
