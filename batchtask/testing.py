"""For the tests of task authors: task code in the test's own process, without broker and worker.

`FakeContext` keeps what a worker would keep: progress, log lines, checkpoint, effects, result files.
A second run with the same context is the next attempt (`FakeContext.next_attempt`). It can ask for a stop, tell that
time is short, and die: at one moment, or at each in turn (`killed_everywhere`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from batchtask.answers import Answer, answer_of
from batchtask.definitions import OnSoftLimit, TaskDefinition
from batchtask.fake_context import TASK_ID, FakeContext, Killed
from batchtask.outcomes import Lost, Outcome, Succeeded

__all__ = [
    "TASK_ID",
    "Ending",
    "FakeContext",
    "Killed",
    "cancelled_everywhere",
    "killed_everywhere",
    "run_attempt",
    "run_task",
]


def run_task(definition: TaskDefinition, context: FakeContext, **parameters: Any) -> Outcome:
    """Run a task as a worker's child would: parameters are checked, a text it returns is its answer.

    Raises:
        InvalidParameters: They do not fit.
        TaskFailure: The task failed as expected; any other error is one of the code.
        CancelledByRequest: It saw the request to stop.
        Killed: It died where the context said.
    """
    answer = _call(definition, context, parameters)
    return answer if answer is not None and not isinstance(answer, str) else Succeeded(response=answer or "")


def run_attempt(definition: TaskDefinition, context: FakeContext, **parameters: Any) -> Answer | Lost:
    """Run a task and return what a worker would record; it raises nothing.

    An error of the code is `Failed` with its traceback as `detail`; `Failed.retry` says whether the definition lets
    it be tried again. `Lost` when it died where the context said: call `next_attempt` of the context, and again this.
    """

    def call() -> object:
        answer = _call(definition, context, parameters)
        context.returned()
        return answer

    try:
        return answer_of(definition, call, passing=(Killed,))
    except Killed as death:
        return Lost(detail=str(death))


@dataclass(frozen=True)
class Ending:
    """What a task came to that was disturbed once."""

    moment: str  #: when, in words; "" = it was not disturbed
    context: FakeContext  #: with all that was kept
    outcome: Answer | Lost  #: of the last attempt


def killed_everywhere(
    definition: TaskDefinition, begin: Callable[[], FakeContext], **parameters: Any
) -> Iterator[Ending]:
    """Run a task to its end once undisturbed, then once for each moment, killed there and followed by a next attempt.

    A moment is each call of the context: safe points, reports of progress, before and behind a commit, around an
    effect, and behind the last line of the task. Compare each ending with the first one. An effect without `ask` that
    died between intent and outcome rightly ends in `EffectInDoubt`.

    Args:
        definition: The task.
        begin: Makes the world as it was, tables and outside systems too, and a new context.
        parameters: Of the task.
    """
    first = begin()
    yield Ending("", first, run_attempt(definition, first, **parameters))
    for number in range(len(first.moments)):
        context = begin()
        context.killed_at = number
        outcome = run_attempt(definition, context, **parameters)
        moment = outcome.detail if isinstance(outcome, Lost) else ""
        if isinstance(outcome, Lost):
            context.next_attempt()
            outcome = run_attempt(definition, context, **parameters)
        yield Ending(moment and f"{number}: {moment}", context, outcome)


def cancelled_everywhere(
    definition: TaskDefinition, begin: Callable[[], FakeContext], **parameters: Any
) -> Iterator[Ending]:
    """Run a task once undisturbed, then once for each safe point, asked to stop there.

    Args:
        definition: The task.
        begin: Makes the world as it was, and a new context.
        parameters: Of the task.
    """
    first = begin()
    yield Ending("", first, run_attempt(definition, first, **parameters))
    for number in range(first.safe_points):
        context = begin()
        context.cancel_after = number
        yield Ending(f"safe point {number}", context, run_attempt(definition, context, **parameters))


def _call(definition: TaskDefinition, context: FakeContext, parameters: dict[str, Any]) -> Any:
    context.begin()
    context.raises_time_is_short = definition.on_soft_limit is OnSoftLimit.RAISE
    arguments = (definition.read_parameters(parameters),) if definition.takes_parameters else ()
    with context.keeping_lines():
        return definition.function(context, *arguments)
