"""A task that does nothing for a while: for demonstrations, and to try how tasks end."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec

from batchtask.definitions import TaskContext, TaskFailure, task
from batchtask.outcomes import Outcome, Succeeded


class Sleep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to sleep, and how to wake up."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 10.0  #: of all steps together
    #: progress is told, and a request to cancel seen, between two of them
    steps: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10
    fail: str = ""  #: fail with this text at the end
    response: str = ""  #: what to answer; "" = how long it slept


@task("sleep", timeout=600, description="Sleep for some seconds and tell how far it is")
def sleep(context: TaskContext, parameters: Sleep) -> Outcome:
    """Sleep in steps."""
    steps = parameters.steps
    for step in range(steps):
        context.check_cancelled()
        context.progress(100 * step / steps, f"Step {step + 1} of {steps}")
        time.sleep(parameters.seconds / steps)
    context.check_cancelled()
    if parameters.fail:
        raise TaskFailure(parameters.fail)
    return Succeeded(response=parameters.response or f"slept {parameters.seconds:g} seconds")
