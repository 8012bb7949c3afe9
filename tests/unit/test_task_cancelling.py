"""The aggregate: wishes to cancel, whatever the task does at that moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    AttemptTimedOut,
    CancelRefused,
    CancelRequested,
    Event,
    PassCompleted,
    RetryScheduled,
    TaskCancelled,
    TaskDeferred,
    TaskSubmitted,
)
from batchtask.intentions import RecordOutcome, RequestCancel
from batchtask.outcomes import Cancelled, Cause, Failed, Interrupted, Outcome, OutOfMemory, Passed, Snoozed, TimedOut
from batchtask.retrying import UNLIMITED, RetryPolicy
from batchtask.task import CANNOT_CANCEL, decide
from tests.histories import AT, state_after

LATER = AT + timedelta(hours=1)
STARTED = AttemptStarted(attempt=1, fence=1, worker="w1", delivery_id="d1")
CANCEL = RequestCancel(requested_by=9, reason="wrong letter")
FORCE = RequestCancel(requested_by=9, reason="wrong letter", force=True)
WISH = CancelRequested(requested_by=9, reason="wrong letter")
FORCED = CancelRequested(requested_by=9, reason="wrong letter", force=True)
REFUSED = CancelRefused(requested_by=9, reason="wrong letter")
END = TaskCancelled(requested_by=9)
RETRY = RetryScheduled(due_at=LATER, cause=Cause.ERROR, failures=1)
FOR_EVER = RetryPolicy(attempts=UNLIMITED, time_limit_attempts=UNLIMITED, memory_attempts=UNLIMITED)


def history(*events: Event, cancellation: int = 0) -> list[Event]:
    return [TaskSubmitted(name="noop", cancellation=cancellation), *events]


STOPPING = history(STARTED, WISH)
FAILED_ONCE = AttemptFailed(fence=1, cause=Cause.ERROR, message="no")


@pytest.mark.parametrize(
    ("before", "wish", "events"),
    [
        # What nobody works on ends at once.
        (history(), CANCEL, [WISH, END]),
        (history(), FORCE, [FORCED, END]),
        (history(STARTED, FAILED_ONCE, RETRY), CANCEL, [WISH, END]),
        (history(STARTED, AttemptSnoozed(fence=1, due_at=LATER)), CANCEL, [WISH, END]),
        (history(TaskDeferred(due_at=LATER, reason="its turn")), CANCEL, [WISH, END]),
        ([TaskSubmitted(name="noop", start_at=LATER)], CANCEL, [WISH, END]),
        # What was asked to stop before and is not worked on any more does, too.
        ([*STOPPING, AttemptLost(fence=1)], CANCEL, [WISH, END]),
        # What runs is told, once; by force a second time.
        (history(STARTED), CANCEL, [WISH]),
        (history(STARTED), FORCE, [FORCED]),
        (STOPPING, CANCEL, []),
        (STOPPING, FORCE, [FORCED]),
        ([*STOPPING, FORCED], FORCE, []),
        ([*STOPPING, FORCED], CANCEL, []),
        # A definition may forbid it, but for force.
        (history(cancellation=CANNOT_CANCEL), CANCEL, [REFUSED]),
        (history(STARTED, cancellation=CANNOT_CANCEL), CANCEL, [REFUSED]),
        (history(REFUSED, cancellation=CANNOT_CANCEL), CANCEL, [REFUSED]),
        (history(cancellation=CANNOT_CANCEL), FORCE, [FORCED, END]),
        (history(STARTED, cancellation=CANNOT_CANCEL), FORCE, [FORCED]),
        # A warning is for whoever asks, not for the task.
        (history(STARTED, cancellation=1), CANCEL, [WISH]),
    ],
)
def test_what_follows_from_a_wish_to_cancel(before: list[Event], wish: RequestCancel, events: list[Event]) -> None:
    assert decide(state_after(before), wish) == events


def test_a_refused_wish_changes_nothing_but_the_version() -> None:
    before = state_after(history(STARTED, cancellation=CANNOT_CANCEL))
    after = state_after(history(STARTED, REFUSED, cancellation=CANNOT_CANCEL))
    assert (after.phase, after.cancel_requested_by, after.version) == (before.phase, None, before.version + 1)


def test_the_state_knows_who_asked_last_and_how() -> None:
    state = state_after(history(STARTED, CancelRequested(requested_by=5), FORCED))
    assert (state.cancel_requested_by, state.cancel_forced) == (9, True)


@pytest.mark.parametrize(
    ("outcome", "ended"),
    [
        (Failed(message="no", retry=True), FAILED_ONCE),
        (TimedOut(limit_seconds=1.5), AttemptTimedOut(fence=1, limit_seconds=1.5)),
        (
            OutOfMemory(limit_mb=64),
            AttemptFailed(
                fence=1,
                cause=Cause.MEMORY,
                message="The task took more memory than its limit of 64 MB and was stopped.",
            ),
        ),
        (Snoozed(seconds=60), AttemptSnoozed(fence=1, due_at=AT + timedelta(minutes=1))),
        (Passed(response="12"), PassCompleted(fence=1, due_at=AT, response="12")),
        (Interrupted(reason="shutdown"), AttemptInterrupted(fence=1, reason="shutdown")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_go_on_later_ends_instead_when_somebody_asked_for_a_stop(outcome: Outcome, ended: Event) -> None:
    record = RecordOutcome(fence=1, outcome=outcome, at=AT, policy=FOR_EVER)
    assert decide(state_after(STOPPING), record) == [ended, END]
    goes_on = decide(state_after(history(STARTED)), record)
    assert goes_on[0] == ended
    assert END not in goes_on


def test_the_end_says_what_was_done_and_whether_the_process_was_killed() -> None:
    for outcome, event in (
        (Cancelled(response="40 letters"), TaskCancelled(requested_by=9, response="40 letters")),
        (Cancelled(forced=True), TaskCancelled(requested_by=9, forced=True)),
    ):
        assert decide(state_after(STOPPING), RecordOutcome(fence=1, outcome=outcome, at=AT)) == [event]
