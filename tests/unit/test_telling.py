"""Events in plain words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from batchtask import events
from batchtask.events import EVENT_TYPES, Event
from batchtask.outcomes import Cause
from projections.telling import people, tell

NAMES = {7: "kari"}
DUE = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (events.TaskSubmitted(name="report", owner=7), "Submitted by kari."),
        (events.TaskSubmitted(name="report", owner=8), "Submitted by user 8."),
        (events.TaskSubmitted(name="report", schedule="nightly"), "Submitted by schedule nightly."),
        (
            events.TaskSubmitted(name="report", owner=7, start_at=DUE),
            "Submitted by kari, to start at 2026-03-01 07:00:00 UTC.",
        ),
        (
            events.AttemptStarted(attempt=2, fence=3, worker="web1/x/y", delivery_id="d"),
            "Attempt 2 started on host web1.",
        ),
        (events.ProgressReported(fence=1, percent=40, text="Merging 96 of 240"), "40 % done: Merging 96 of 240"),
        (events.ProgressReported(fence=1, percent=40), "40 % done."),
        (events.HeartbeatRecorded(fence=1), "The worker says that it is alive."),
        (
            events.AttemptFailed(fence=1, cause=Cause.ERROR, message="No such selection.", detail="Traceback"),
            "The attempt failed: No such selection.",
        ),
        (
            events.AttemptTimedOut(fence=1, limit_seconds=1500.0),
            "The attempt took longer than its limit of 1500 s and was ended.",
        ),
        (events.AttemptInterrupted(fence=1), "The worker was shut down; the task waits for another."),
        (events.AttemptLost(fence=1), "The worker that ran the attempt is gone; the task waits for another."),
        (
            events.AttemptLost(fence=1, detail="killed by SIGKILL", worker_survived=True),
            "The process that ran the attempt died: killed by SIGKILL",
        ),
        (
            events.AttemptSurvived(fence=1),
            "A worker that was taken to be gone was only cut off; its attempt does not count.",
        ),
        (
            events.AttemptSnoozed(fence=1, due_at=DUE, reason="The server is down."),
            "Waits until 2026-03-01 07:00:00 UTC as it asked to: The server is down.",
        ),
        (events.PassCompleted(fence=1, due_at=DUE), "A pass is done, the next is due at 2026-03-01 07:00:00 UTC."),
        (
            events.RetryScheduled(due_at=DUE, cause=Cause.MEMORY, failures=1),
            "The next attempt is due at 2026-03-01 07:00:00 UTC, because it took too much memory.",
        ),
        (
            events.RetryScheduled(due_at=DUE, cause=Cause.ERROR, failures=12),
            "The next attempt is due at 2026-03-01 07:00:00 UTC, because it failed for the 12th time.",
        ),
        (
            events.TaskDeferred(due_at=DUE, reason="No worker knows it."),
            "Waits until 2026-03-01 07:00:00 UTC: No worker knows it.",
        ),
        (events.TaskReleased(), "The wait is over: the task is in the queue again."),
        (events.TaskReplayed(requested_by=7, due_at=DUE), "Begins anew, asked for by kari."),
        (
            events.TaskReplayed(requested_by=0, due_at=DUE, parameters={"rows": 1}),
            "Begins anew, asked for by the system, with other parameters.",
        ),
        (events.CheckpointSaved(fence=1, data={"secret": 1}), "Kept how far it is."),
        (events.CancelRequested(requested_by=7, reason="Wrong list"), "kari asked for it to stop: Wrong list"),
        (events.CancelRequested(requested_by=0, force=True), "The system asked for it at once, by force."),
        (events.CancelNoticed(fence=1), "The worker has told the task to stop."),
        (
            events.CancelRefused(requested_by=7),
            "kari asked for it to stop, but a task of this kind cannot be cancelled; it goes on.",
        ),
        (events.TaskSucceeded(fence=1, response="240 letters."), "Succeeded: 240 letters."),
        (events.TaskSucceeded(fence=1), "Succeeded."),
        (events.TaskFailed(cause=Cause.ERROR, message="No such selection."), "Failed for good: No such selection."),
        (events.TaskCancelled(requested_by=7), "Stopped by kari."),
        (
            events.TaskCancelled(requested_by=7, forced=True, response="12 sent"),
            "Stopped by force, on request of kari: 12 sent",
        ),
        (
            events.TaskAmended(requested_by=7, description="New", response="Fine"),
            "kari changed its description and response.",
        ),
    ],
)
def test_an_event_is_told_in_one_sentence(event: Event, sentence: str) -> None:
    assert tell(event, NAMES) == sentence


def _made(kind: type[Event]) -> Event:
    """Make an event of a type with the plainest values there are."""
    plain: dict[Any, Any] = {int: 1, str: "text", float: 1.0, bool: False, datetime: DUE, Cause: Cause.ERROR}
    required = [field for field in msgspec.structs.fields(kind) if field.required]
    return kind(**{field.name: plain.get(field.type, {}) for field in required})


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_type_of_event_has_its_sentence(name: str) -> None:
    sentence = tell(_made(EVENT_TYPES[name]), {})
    assert sentence[0].isupper() or sentence[0].isdigit() or sentence.startswith("user 1")
    assert name not in sentence


def test_the_people_of_an_event_are_those_that_its_sentence_names() -> None:
    assert people(events.TaskSubmitted(name="report", owner=7)) == [7]
    assert people(events.CancelRequested(requested_by=8)) == [8]
    assert people(events.TaskReleased()) == []


@pytest.mark.parametrize(
    ("failures", "words"), [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (21, "21st"), (113, "113th")]
)
def test_ordinals_end_as_people_write_them(failures: int, words: str) -> None:
    event = events.RetryScheduled(due_at=DUE, cause=Cause.ERROR, failures=failures)
    assert tell(event, {}).endswith(f"for the {words} time.")
