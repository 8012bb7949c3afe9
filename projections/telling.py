"""Events in plain words: one sentence each, for whoever looks at a task's timeline. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    AttemptSurvived,
    AttemptTimedOut,
    CancelNoticed,
    CancelRefused,
    CancelRequested,
    CheckpointSaved,
    Event,
    HeartbeatRecorded,
    PassCompleted,
    ProgressReported,
    RetryScheduled,
    TaskAmended,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskReplayed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.http.callers import SYSTEM
from batchtask.outcomes import Cause

#: Login names by associate id.
Names = Mapping[int, str]

_CAUSES = {
    Cause.ERROR: "it failed",
    Cause.TIME_LIMIT: "it ran out of time",
    Cause.MEMORY: "it took too much memory",
    Cause.LOST_WORKER: "the process that ran it died",
    Cause.REJECTED: "no worker could take it",
}


def tell(body: Event, names: Names) -> str:
    """Tell one event in a sentence.

    Args:
        body: The event.
        names: Of the users it mentions; of others the number is told.
    """
    return _SENTENCES[type(body)](body, names)


def people(body: Event) -> list[int]:
    """Return the associate ids that an event mentions."""
    fields = ("owner", "requested_by")
    return [getattr(body, name) for name in fields if name in body.__struct_fields__]


def people_of(bodies: Iterable[Event]) -> set[int]:
    """Return the associate ids that some events mention."""
    return {person for body in bodies for person in people(body)}


def _who(associate_id: int, names: Names) -> str:
    return "the system" if associate_id == SYSTEM else names.get(associate_id) or f"user {associate_id}"


def _at(time: datetime) -> str:
    """A time as far as a person needs it; readers in other time zones have it in the event's data."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _host(worker: str) -> str:
    return worker.partition("/")[0] or "unknown"


def _with(sentence: str, words: str) -> str:
    """Put words of somebody else behind a sentence of ours, which has no full stop yet."""
    words = words.strip()
    return f"{sentence}: {words}" if words else f"{sentence}."


def _amended(event: TaskAmended, names: Names) -> str:
    by = _capital(_who(event.requested_by, names))
    texts = [name for name in ("description", "request", "response") if getattr(event, name) is not None]
    changed = f"{by} changed its {' and '.join(texts)}" if texts else f"{by} looked after it"
    return f"{changed}; whoever owns its result cleans up." if event.manual_cleanup else f"{changed}."


def _submitted(event: TaskSubmitted, names: Names) -> str:
    by = f"by schedule {event.schedule}" if event.schedule else f"by {_who(event.owner, names)}"
    return f"Submitted {by}" + (f", to start at {_at(event.start_at)}." if event.start_at else ".")


def _replayed(event: TaskReplayed, names: Names) -> str:
    changed = event.parameters is not None or event.payload_ref is not None
    return f"Begins anew, asked for by {_who(event.requested_by, names)}" + (
        ", with other parameters." if changed else "."
    )


def _cancel_requested(event: CancelRequested, names: Names) -> str:
    wish = "at once, by force" if event.force else "to stop"
    return _with(f"{_capital(_who(event.requested_by, names))} asked for it {wish}", event.reason)


def _cancel_refused(event: CancelRefused, names: Names) -> str:
    by = _capital(_who(event.requested_by, names))
    return f"{by} asked for it to stop, but a task of this kind cannot be cancelled; it goes on."


def _cancelled(event: TaskCancelled, names: Names) -> str:
    how = "Stopped by force, on request of" if event.forced else "Stopped by"
    return _with(f"{how} {_who(event.requested_by, names)}", event.response)


def _lost(event: AttemptLost, _: Names) -> str:
    if event.worker_survived:
        return _with("The process that ran the attempt died", event.detail)
    return "The worker that ran the attempt is gone; the task waits for another."


def _interrupted(event: AttemptInterrupted, _: Names) -> str:
    return _with("The worker was shut down; the task waits for another", event.reason)


def _timed_out(event: AttemptTimedOut, _: Names) -> str:
    return f"The attempt took longer than its limit of {event.limit_seconds:g} s and was ended."


def _progress(event: ProgressReported, _: Names) -> str:
    return f"{event.percent} % done" + (f": {event.text}" if event.text else ".")


def _retry(event: RetryScheduled, _: Names) -> str:
    times = "" if event.failures == 1 else f" for the {_ordinal(event.failures)} time"
    return f"The next attempt is due at {_at(event.due_at)}, because {_CAUSES[event.cause]}{times}."


def _succeeded(event: TaskSucceeded, _: Names) -> str:
    return _with("Succeeded", event.response)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text == "the system" else text


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


_SENTENCES: dict[type[Event], Callable[[Any, Names], str]] = {
    TaskSubmitted: _submitted,
    AttemptStarted: lambda event, _: f"Attempt {event.attempt} started on host {_host(event.worker)}.",
    ProgressReported: _progress,
    HeartbeatRecorded: lambda *_: "The worker says that it is alive.",
    AttemptFailed: lambda event, _: _with("The attempt failed", event.message),
    AttemptTimedOut: _timed_out,
    AttemptInterrupted: _interrupted,
    AttemptLost: _lost,
    AttemptSurvived: lambda *_: "A worker that was taken to be gone was only cut off; its attempt does not count.",
    AttemptSnoozed: lambda event, _: _with(f"Waits until {_at(event.due_at)} as it asked to", event.reason),
    PassCompleted: lambda event, _: _with(f"A pass is done, the next is due at {_at(event.due_at)}", event.response),
    RetryScheduled: _retry,
    TaskDeferred: lambda event, _: _with(f"Waits until {_at(event.due_at)}", event.reason),
    TaskReleased: lambda *_: "The wait is over: the task is in the queue again.",
    TaskReplayed: _replayed,
    CheckpointSaved: lambda *_: "Kept how far it is.",
    CancelRequested: _cancel_requested,
    CancelNoticed: lambda *_: "The worker has told the task to stop.",
    CancelRefused: _cancel_refused,
    TaskSucceeded: _succeeded,
    TaskFailed: lambda event, _: _with("Failed for good", event.message),
    TaskCancelled: _cancelled,
    TaskAmended: _amended,
}
