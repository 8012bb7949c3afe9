"""The aggregate: a task that waits, who ends the wait, and attempts that nobody hears of any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from batchtask.events import (
    AttemptFailed,
    AttemptLost,
    AttemptSnoozed,
    AttemptStarted,
    CancelRequested,
    CheckpointSaved,
    Event,
    PassCompleted,
    RetryScheduled,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskReplayed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.intentions import (
    AlreadyFinished,
    Claim,
    Defer,
    Expire,
    FenceIsOld,
    HeldByAnother,
    Intention,
    NotDead,
    NotDue,
    Refusal,
    Release,
    Replay,
)
from batchtask.outcomes import Cause
from batchtask.task import FIRST_OFFER_SECONDS, LONGEST_OFFER_SECONDS, decide
from batchtask.task_state import Phase
from tests.histories import AT, state_after

LATER = AT + timedelta(hours=1)
SUBMITTED = TaskSubmitted(name="noop", owner=7, parameters={"count": 1}, payload_ref="/payloads/1.json")
STARTED = AttemptStarted(attempt=1, fence=1, worker="w1", delivery_id="d1", held=False)
WISH = CancelRequested(requested_by=7)
RETRY = RetryScheduled(due_at=LATER, cause=Cause.ERROR, failures=1)

QUEUED: list[Event] = [SUBMITTED]
RUNNING: list[Event] = [SUBMITTED, STARTED]
SUCCEEDED = [*RUNNING, TaskSucceeded(fence=1)]
FAILED = [*RUNNING, CheckpointSaved(fence=1, data={"done": 5}), TaskFailed(cause=Cause.ERROR, message="no")]
CANCELLED = [SUBMITTED, WISH, TaskCancelled(requested_by=7)]
#: Everything that makes a task wait.
WAITING: dict[str, list[Event]] = {
    "delayed": [TaskSubmitted(name="noop", start_at=LATER)],
    "to be retried": [*RUNNING, AttemptFailed(fence=1, cause=Cause.ERROR, message="no"), RETRY],
    "snoozed": [*RUNNING, AttemptSnoozed(fence=1, due_at=LATER)],
    "between passes": [*RUNNING, PassCompleted(fence=1, due_at=LATER)],
    "deferred": [*QUEUED, TaskDeferred(due_at=LATER, reason="its message is gone")],
    "replayed": [*FAILED, TaskReplayed(requested_by=7, due_at=LATER)],
}
EVERY_WAIT = pytest.mark.parametrize("history", WAITING.values(), ids=WAITING)

CLAIM = Claim(at=AT, worker="w2", delivery_id="d2", redelivered=False, deadline_at=None)
DEFER = Defer(due_at=LATER, reason="its message is gone")
EXPIRE = Expire(fence=1, at=AT, detail="silent for 180 s")
REPLAY = Replay(requested_by=9, at=AT)


@EVERY_WAIT
def test_a_task_that_waits_says_until_when(history: list[Event]) -> None:
    state = state_after(history)
    assert (state.phase, state.due_at) == (Phase.WAITING, LATER)


@EVERY_WAIT
def test_only_the_message_that_ends_a_wait_starts_the_task(history: list[Event]) -> None:
    state = state_after(history)
    for release in (None, state.version - 1, state.version + 1):
        for redelivered in (False, True):
            with pytest.raises(NotDue):
                decide(state, replace(CLAIM, release=release, redelivered=redelivered, delivery_id="d1"))

    [started] = decide(state, replace(CLAIM, release=state.version))

    assert isinstance(started, AttemptStarted)
    assert started.fence == state.fence + 1
    assert state_after([*history, started]).due_at is None


@EVERY_WAIT
def test_a_wait_is_ended_once_and_then_any_message_starts_the_task(history: list[Event]) -> None:
    version = state_after(history).version
    assert decide(state_after(history), Release(version=version)) == [TaskReleased()]
    released = state_after([*history, TaskReleased()])
    assert (released.phase, released.due_at) == (Phase.QUEUED, None)

    assert decide(released, Release(version=version)) == []
    for release in (None, version):
        assert isinstance(decide(released, replace(CLAIM, release=release))[0], AttemptStarted)


@EVERY_WAIT
def test_a_release_of_an_earlier_wait_ends_no_later_one(history: list[Event]) -> None:
    version = state_after(history).version
    again = state_after([*history, TaskDeferred(due_at=LATER, reason="again")])

    assert decide(again, Release(version=version)) == []
    with pytest.raises(NotDue):
        decide(again, replace(CLAIM, release=version))


@EVERY_WAIT
def test_a_task_that_waits_can_be_told_to_wait_longer(history: list[Event]) -> None:
    later = LATER + timedelta(hours=1)
    events = decide(state_after(history), Defer(due_at=later, reason="not yet"))

    assert events == [TaskDeferred(due_at=later, reason="not yet")]
    assert state_after([*history, *events]).due_at == later


@EVERY_WAIT
def test_a_task_that_waits_has_no_attempt_that_could_expire(history: list[Event]) -> None:
    with pytest.raises(FenceIsOld):
        decide(state_after(history), replace(EXPIRE, fence=state_after(history).fence))


def test_a_release_of_what_runs_or_has_ended_means_nothing() -> None:
    for history in (QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED):
        state = state_after(history)
        assert decide(state, Release(version=state.version)) == []


# No worker can run it now.


def test_a_task_that_this_worker_cannot_run_is_offered_again_after_pauses_that_double() -> None:
    history, pauses = list(QUEUED), []
    for _ in range(10):
        state = state_after(history)
        [deferred] = decide(state, replace(CLAIM, release=state.version, unable="Waiting for a worker that knows it"))
        assert isinstance(deferred, TaskDeferred)
        assert deferred.reason == "Waiting for a worker that knows it"
        pauses.append((deferred.due_at - AT).total_seconds())
        history.append(deferred)

    assert pauses[:4] == [FIRST_OFFER_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert pauses[-1] == LONGEST_OFFER_SECONDS
    assert state_after([*history, TaskReleased(), STARTED]).deferrals == 0


def test_a_task_whose_turn_comes_at_a_known_time_waits_for_that() -> None:
    claim = replace(CLAIM, unable="Waiting for its turn", defer_until=LATER)
    deferred = TaskDeferred(due_at=LATER, reason="Waiting for its turn")

    assert decide(state_after(QUEUED), claim) == [deferred]
    assert state_after([*QUEUED, deferred]).attempt == 0


def test_pauses_stay_within_bounds_however_often_a_task_was_deferred() -> None:
    state = replace(state_after(QUEUED), deferrals=10**9)
    [deferred] = decide(state, replace(CLAIM, unable="no worker"))
    assert deferred == TaskDeferred(due_at=AT + timedelta(seconds=LONGEST_OFFER_SECONDS), reason="no worker")


def test_who_takes_a_dead_attempt_over_and_cannot_run_it_lets_the_task_wait() -> None:
    held = [SUBMITTED, AttemptStarted(attempt=1, fence=1, worker="w1", delivery_id="d1")]
    claim = replace(CLAIM, delivery_id="d1", redelivered=True, unable="no worker", defer_until=LATER)
    assert decide(state_after(held), claim) == [
        AttemptLost(fence=1),
        TaskDeferred(due_at=LATER, reason="no worker"),
    ]


# Repairs: nobody has the message of the task in hand, or nobody hears of its attempt.


def test_a_task_whose_message_is_gone_waits_to_be_published_again() -> None:
    assert decide(state_after(QUEUED), DEFER) == [TaskDeferred(due_at=LATER, reason="its message is gone")]
    assert decide(state_after([*QUEUED, WISH]), DEFER) == [TaskCancelled(requested_by=7)]


@pytest.mark.parametrize(
    ("history", "follows"),
    [
        (RUNNING, [RetryScheduled(due_at=AT, cause=Cause.LOST_WORKER, failures=1)]),
        ([*RUNNING, WISH], [TaskCancelled(requested_by=7)]),
        (
            [SUBMITTED, AttemptStarted(attempt=1, fence=1, worker="w1", delivery_id="d1", lost_attempts=1)],
            [
                TaskFailed(
                    cause=Cause.LOST_WORKER,
                    message="The task was stopped for good: the process that ran it died.",
                )
            ],
        ),
    ],
    ids=["goes on at once", "was to stop", "was the last one allowed"],
)
def test_an_attempt_that_is_silent_for_longer_than_its_lease_is_lost(
    history: list[Event], follows: list[Event]
) -> None:
    assert decide(state_after(history), EXPIRE) == [AttemptLost(fence=1, detail="silent for 180 s"), *follows]


@pytest.mark.parametrize(
    ("history", "intention", "refusal"),
    [
        (RUNNING, DEFER, HeldByAnother),
        (RUNNING, replace(EXPIRE, fence=2), FenceIsOld),
        (QUEUED, EXPIRE, FenceIsOld),
        *((ended, DEFER, AlreadyFinished) for ended in (SUCCEEDED, FAILED, CANCELLED)),
        *((ended, EXPIRE, FenceIsOld) for ended in (SUCCEEDED, FAILED, CANCELLED)),
        *((alive, REPLAY, NotDead) for alive in (QUEUED, RUNNING, SUCCEEDED, *WAITING.values())),
    ],
)
def test_what_is_refused(history: list[Event], intention: Intention, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        decide(state_after(history), intention)


# A dead task begins anew.


@pytest.mark.parametrize("history", [FAILED, CANCELLED], ids=["failed", "cancelled"])
def test_a_dead_task_begins_anew_with_all_budgets(history: list[Event]) -> None:
    before = state_after(history)

    events = decide(before, REPLAY)

    assert events == [TaskReplayed(requested_by=9, due_at=AT)]
    state = state_after([*history, *events])
    assert (state.phase, state.due_at, state.submitted) == (Phase.WAITING, AT, before.submitted)
    assert (state.attempt, state.failures, state.deferrals, state.cancel_requested_by) == (0, {}, 0, None)
    [started] = decide(state, replace(CLAIM, release=state.version))
    assert isinstance(started, AttemptStarted)
    assert (started.attempt, started.fence) == (1, before.fence + 1)


def test_a_replay_goes_on_at_the_last_checkpoint() -> None:
    assert state_after([*FAILED, *decide(state_after(FAILED), REPLAY)]).checkpoint == {"done": 5}


@pytest.mark.parametrize(
    ("changed", "parameters", "payload_ref"),
    [
        (replace(REPLAY, parameters={"count": 2}), {"count": 2}, None),
        (replace(REPLAY, parameters={}), {}, None),
        (replace(REPLAY, payload_ref="/payloads/2.json"), {}, "/payloads/2.json"),
    ],
)
def test_a_replay_with_other_parameters_starts_from_the_beginning(
    changed: Replay, parameters: dict[str, int], payload_ref: str | None
) -> None:
    state = state_after([*FAILED, *decide(state_after(FAILED), changed)])

    assert (state.submitted.parameters, state.submitted.payload_ref) == (parameters, payload_ref)
    assert state.checkpoint is None
    assert (state.name, state.owner) == ("noop", 7)


def test_an_attempt_of_before_a_replay_can_say_nothing_more() -> None:
    history = [*FAILED, TaskReplayed(requested_by=9, due_at=AT), TaskReleased()]
    [started] = decide(state_after(history), CLAIM)
    with pytest.raises(FenceIsOld):
        decide(state_after([*history, started]), EXPIRE)
