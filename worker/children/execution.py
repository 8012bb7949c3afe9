"""Calling task code and turning whatever it does into an outcome. The one place that catches everything."""

from __future__ import annotations

import traceback

from batchtask.definitions import CancelledByRequest, Registry, TaskFailure, TimeIsShort
from batchtask.errors import BatchTaskError
from batchtask.outcomes import Cancelled, Failed, Passed, Snoozed, Succeeded, TimedOut
from batchtask.payloads import PayloadStore
from batchtask.retrying import RetryPolicy
from worker.children.alarm import Alarm
from worker.children.context import ChildContext
from worker.children.frames import Answer, Run

#: Longest message kept; the original's column holds 254, the events may hold more.
LONGEST_TEXT = 10_000


def execute(registry: Registry, payloads: PayloadStore, run: Run, context: ChildContext, alarm: Alarm) -> Answer:
    """Run one task to its end.

    Whatever task code raises becomes an outcome, `Failed` in most cases; only a signal can end the process.
    """
    with context:
        try:
            outcome = _call(registry, payloads, run, context, alarm)
        except CancelledByRequest as stop:
            return Cancelled(response=_text(_told(stop)))
        except (TaskFailure, BatchTaskError) as error:
            return Failed(message=_text(_told(error)), retry=_named(error, registry[run.name].retry))
        except BaseException as error:
            if isinstance(error, TimeIsShort) and registry[run.name].soft_timeout_seconds:
                return TimedOut(limit_seconds=registry[run.name].soft_timeout_seconds)
            retry = run.name in registry and _retried(error, registry[run.name].retry)
            return Failed(message=_internal(error), detail=_text(traceback.format_exc()), retry=retry)
    return outcome


def _call(registry: Registry, payloads: PayloadStore, run: Run, context: ChildContext, alarm: Alarm) -> Answer:
    definition = registry[run.name]
    given = run.parameters if run.payload_ref is None else payloads.fetch(run.payload_ref)
    parameters = definition.read_parameters(given)
    arguments = (context, parameters) if definition.takes_parameters else (context,)
    answer = alarm.call(run, definition.function, *arguments)
    match answer:
        case None | str() if definition.is_multi_pass:
            return Passed(response=_text(answer or ""))
        case None | str():
            return Succeeded(response=_text(answer or ""))
        case Succeeded():
            return Succeeded(response=_text(answer.response), file_name=answer.file_name and _text(answer.file_name))
        case Failed():
            return Failed(message=_text(answer.message), detail=_text(answer.detail), retry=answer.retry)
        case Snoozed():
            return Snoozed(seconds=answer.seconds, reason=_text(answer.reason))
        case Cancelled():
            return Cancelled(response=_text(answer.response))
    raise TypeError(f"task {run.name!r} returned a {type(answer).__name__}; return an outcome, a text, or nothing")


def _retried(error: BaseException, policy: RetryPolicy) -> bool:
    return isinstance(error, policy.retry_on) and not isinstance(error, policy.never_on)


def _named(error: BaseException, policy: RetryPolicy) -> bool:
    """An expected failure is tried again only if the policy means it, and not just every exception."""
    named = tuple(kind for kind in policy.retry_on if kind not in {BaseException, Exception})
    return isinstance(error, named) and not isinstance(error, policy.never_on)


def _internal(error: BaseException) -> str:
    what = f"{type(error).__name__}: {_told(error)}".strip(": ")
    return _text(f"The task stopped because of an error in its program ({what}). Tell your administrator.")


def _told(error: BaseException) -> str:
    """An error's text; its author's code makes it, and may fail too."""
    try:
        return str(error)
    except Exception:
        return "it cannot be told"


def _text(text: str) -> str:
    """Make text that every codec takes: lone surrogates come from file names that are not UTF-8."""
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode()
