"""The attempts of a task, told from its stream and its log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    AttemptSurvived,
    AttemptTimedOut,
    Event,
    PassCompleted,
    RecordedEvent,
    TaskCancelled,
    TaskFailed,
    TaskSucceeded,
)
from projections.queries import LoggedLine


class Attempt(msgspec.Struct, kw_only=True):
    """One try: who made it, how long it took, what came of it."""

    attempt: int  #: as the task counts; interrupted and snoozed ones are not counted, and a replay begins at 1 again
    fence: int  #: rises with every attempt there ever was
    worker: str  #: `host/process/boot id`
    started_at: datetime
    ended_at: datetime | None = None  #: None = it runs, or nobody has noticed yet that it does not
    outcome: str = "running"
    message: str = ""  #: one sentence
    detail: str = ""  #: traceback, or how the process ended
    log: list[LoggedLine] = []


def attempts_of(history: Iterable[RecordedEvent], lines: Iterable[LoggedLine]) -> list[Attempt]:
    """Tell the attempts in order, each with the lines it logged."""
    attempts: list[Attempt] = []
    for event in history:
        body = event.body
        if isinstance(body, AttemptStarted):
            attempts.append(_begun(event, body))
        elif isinstance(body, AttemptSurvived):
            _excuse(attempts, body.fence)
        elif attempts and attempts[-1].ended_at is None and (end := _end(body)) is not None:
            attempts[-1].ended_at = event.occurred_at
            attempts[-1].outcome, attempts[-1].message, attempts[-1].detail = end
    for line in lines:
        if wrote := _writer(attempts, line):
            wrote.log.append(line)
    return attempts


def _begun(event: RecordedEvent, body: AttemptStarted) -> Attempt:
    return Attempt(attempt=body.attempt, fence=body.fence, worker=body.worker, started_at=event.occurred_at, log=[])


def _excuse(attempts: Sequence[Attempt], fence: int) -> None:
    for attempt in attempts:
        if attempt.fence == fence:
            attempt.outcome, attempt.message = "cut off", "Its worker was cut off, and somebody else took over."


def _end(event: Event) -> tuple[str, str, str] | None:
    """Outcome, message and detail of the event that ended an attempt; None for one that did not."""
    match event:
        case AttemptFailed(cause=cause, message=message, detail=detail):
            return f"failed: {cause}", message, detail
        case AttemptTimedOut(limit_seconds=seconds):
            return "time limit", f"Ran longer than its limit of {seconds:g} s.", ""
        case AttemptLost(detail=detail):
            return "lost", "The process that ran it is gone.", detail
        case AttemptInterrupted(reason=reason):
            return "interrupted", reason, ""
        case AttemptSnoozed(reason=reason):
            return "snoozed", reason, ""
        case PassCompleted(response=response):
            return "passed", response, ""
        case TaskSucceeded(response=response):
            return "succeeded", response, ""
        case TaskCancelled(response=response, forced=forced):
            return "stopped by force" if forced else "stopped", response, ""
        case TaskFailed(message=message):
            return "failed", message, ""
    return None


def _writer(attempts: Sequence[Attempt], line: LoggedLine) -> Attempt | None:
    """The attempt that logged a line: lines carry its number, which may have been given more than once."""
    same = [attempt for attempt in attempts if attempt.attempt == line.attempt]
    begun = [attempt for attempt in same if attempt.started_at <= line.logged_at]
    if begun:
        return begun[-1]
    return same[0] if same else None  # the clocks of a server and of the database may differ a little
