"""Calling task code and turning whatever it does into an answer. The one place that catches everything.

The worker's children and the tests of task authors go through it, so that both say the same.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from batchtask.definitions import CancelledByRequest, TaskDefinition, TaskFailure, TimeIsShort
from batchtask.errors import BatchTaskError, StoreUnavailable
from batchtask.outcomes import Cancelled, Failed, Passed, Snoozed, Succeeded, TimedOut
from batchtask.retrying import RetryPolicy

#: What task code can end in by itself.
Answer = Succeeded | Failed | Cancelled | Snoozed | Passed | TimedOut

#: Longest message kept; the original's column holds 254, the events may hold more.
LONGEST_TEXT = 10_000
_DATABASE_AWAY = (
    "The database did not answer while the task was at work. "
    "Start it again; tell your administrator if that fails, too."
)


def answer_of(
    definition: TaskDefinition, call: Callable[[], object], *, passing: tuple[type[BaseException], ...] = ()
) -> Answer:
    """Call the code of a task and return what a worker records.

    Args:
        definition: Of the task: whether it has passes, and which errors it tries again.
        call: Runs its code; what it raises becomes an answer, `Failed` in most cases.
        passing: Errors that pass through, because they stand for the end of the process.
    """
    try:
        return _told(definition, call())
    except passing:
        raise
    except CancelledByRequest as stop:
        return Cancelled(response=clean(_words(stop)))
    except StoreUnavailable as error:
        # What it says is for operators: it names servers and settings.
        return Failed(message=_DATABASE_AWAY, detail=_trace(), retry=_named(error, definition.retry))
    except (TaskFailure, BatchTaskError) as error:
        return Failed(message=clean(_words(error)), retry=_named(error, definition.retry))
    except BaseException as error:
        if isinstance(error, TimeIsShort) and definition.soft_timeout_seconds:
            return TimedOut(limit_seconds=definition.soft_timeout_seconds)
        retry = _retried(error, definition.retry)
        return Failed(message=_internal(error), detail=_trace(), retry=retry)


def _told(definition: TaskDefinition, answer: object) -> Answer:
    match answer:
        case None | str() if definition.is_multi_pass:
            return Passed(response=clean(answer or ""))
        case None | str():
            return Succeeded(response=clean(answer or ""))
        case Succeeded():
            return Succeeded(response=clean(answer.response), file_name=answer.file_name and clean(answer.file_name))
        case Failed():
            return Failed(message=clean(answer.message), detail=clean(answer.detail), retry=answer.retry)
        case Snoozed():
            return Snoozed(seconds=answer.seconds, reason=clean(answer.reason))
        case Cancelled():
            return Cancelled(response=clean(answer.response))
    raise TypeError(
        f"task {definition.name!r} returned a {type(answer).__name__}; return an outcome, a text, or nothing"
    )


def clean(text: str) -> str:
    """Make text that every codec takes: lone surrogates come from file names that are not UTF-8."""
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def _trace() -> str:
    return clean(traceback.format_exc())


def _retried(error: BaseException, policy: RetryPolicy) -> bool:
    return isinstance(error, policy.retry_on) and not isinstance(error, policy.never_on)


def _named(error: BaseException, policy: RetryPolicy) -> bool:
    """An expected failure is tried again only if the policy means it, and not just every exception."""
    named = tuple(kind for kind in policy.retry_on if kind not in {BaseException, Exception})
    return isinstance(error, named) and not isinstance(error, policy.never_on)


def _internal(error: BaseException) -> str:
    # One line: errors of databases go on with the statement and the values of its rows, which are for operators.
    first_line = _words(error).strip().partition("\n")[0].rstrip()
    what = f"{type(error).__name__}: {first_line}".strip(": ")
    return clean(f"The task stopped because of an error in its program ({what}). Tell your administrator.")


def _words(error: BaseException) -> str:
    """An error's text; its author's code makes it, and may fail too."""
    try:
        return str(error)
    except Exception:
        return "it cannot be told"
