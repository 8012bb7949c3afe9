"""The aggregate: what holds for any history, whatever anybody wants in any order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask.events import (
    EVENT_TYPES,
    TERMINAL_EVENTS,
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
    TaskDeferred,
    TaskFailed,
    TaskReplayed,
    TaskSubmitted,
    TaskSucceeded,
    has_ended,
)
from batchtask.intentions import Amend, Claim, Expire, Intention, RecordOutcome, Refusal, Release, Replay, Survive
from batchtask.outcomes import Cause
from batchtask.task import CANNOT_CANCEL, decide, outcome_events
from batchtask.task_state import Phase, TaskState, evolve
from tests.histories import AT, POLICY, chosen, intentions, state_after

#: They change nothing about who works on the task.
REMARKS = (
    ProgressReported
    | HeartbeatRecorded
    | CancelRequested
    | CancelNoticed
    | CancelRefused
    | CheckpointSaved
    | AttemptSurvived
    | TaskAmended
)
WAITS = AttemptSnoozed | PassCompleted | RetryScheduled | TaskDeferred | TaskReplayed

firsts = st.builds(
    TaskSubmitted,
    name=st.just("noop"),
    start_at=st.none() | st.just(AT + timedelta(hours=1)),
    cancellation=st.sampled_from([0, 0, CANNOT_CANCEL]),
)
choices = st.lists(st.integers(0, 1000), max_size=24)
histories = st.builds(chosen, firsts, choices)


@given(histories)
@settings(max_examples=200)
def test_a_task_ends_and_nothing_follows_but_a_replay(history: list[Event]) -> None:
    happened = [event for event in history if not isinstance(event, TaskAmended)]
    for event, follower in pairwise(happened):
        assert isinstance(event, TERMINAL_EVENTS) == isinstance(follower, TaskReplayed)
        assert not isinstance(event, TaskSucceeded)


@given(histories)
@settings(max_examples=200)
def test_every_attempt_has_the_next_fence_and_what_it_says_carries_it(history: list[Event]) -> None:
    fence = 0
    for event in history:
        if isinstance(event, AttemptStarted):
            assert event.fence == fence + 1
            fence = event.fence
        if isinstance(event, AttemptSurvived):
            assert event.fence <= fence
        else:
            assert getattr(event, "fence", fence) == fence


@given(histories)
@settings(max_examples=200)
def test_any_prefix_of_any_history_is_a_state_that_fits_it(history: list[Event]) -> None:
    for length in range(1, len(history) + 1):
        prefix = history[:length]
        state = state_after(prefix)
        last = [event for event in prefix if not isinstance(event, REMARKS)][-1]
        assert state.version == length - 1
        assert (state.phase is Phase.RUNNING) == isinstance(last, AttemptStarted)
        assert state.phase.finished == isinstance(last, TERMINAL_EVENTS)
        due_at = last.start_at if isinstance(last, TaskSubmitted) else getattr(last, "due_at", None)
        assert (state.phase is Phase.WAITING, state.due_at) == (due_at is not None, due_at)
        assert state.attempt == attempts_counted(prefix)
        assert state.failures == failures_counted(prefix)


def since_it_began_anew(history: Sequence[Event]) -> Sequence[Event]:
    """The events behind the last replay, or the last pass."""
    begins = [0, *(n + 1 for n, event in enumerate(history) if isinstance(event, TaskReplayed | PassCompleted))]
    return history[begins[-1] :]


def attempts_counted(history: Sequence[Event]) -> int:
    counts = Counter(type(event) for event in since_it_began_anew(history))
    return counts[AttemptStarted] - counts[AttemptInterrupted] - counts[AttemptSnoozed]


def failures_counted(history: Sequence[Event]) -> Counter[Cause]:
    present = since_it_began_anew(history)
    counted = Counter(filter(None, map(cause_of, present)))
    counted.subtract(Cause.LOST_WORKER for event in present if isinstance(event, AttemptSurvived))
    return counted


def cause_of(event: Event) -> Cause | None:
    match event:
        case AttemptFailed(cause=cause):
            return cause
        case AttemptTimedOut():
            return Cause.TIME_LIMIT
        case AttemptLost():
            return Cause.LOST_WORKER
    return None


@given(histories)
@settings(max_examples=200)
def test_no_cause_uses_more_than_its_budget_and_the_last_one_is_the_end(history: list[Event]) -> None:
    for length in range(1, len(history)):
        cause = cause_of(history[length - 1])
        if cause is None:
            continue
        used, budget = failures_counted(history[:length])[cause], POLICY.budget(cause)
        assert used <= budget
        if used == budget:
            assert isinstance(history[length], TERMINAL_EVENTS)


@given(firsts, choices)
@settings(max_examples=200)
def test_whatever_nobody_holds_is_due_or_has_ended(first: TaskSubmitted, numbers: list[int]) -> None:
    """A lease has no message behind it: after it, the task must not sit and wait for one."""
    for before, intention, after in steps(first, numbers):
        if before.phase is Phase.RUNNING and isinstance(intention, RecordOutcome | Expire):
            message_in_hand = before.held and isinstance(intention, RecordOutcome)
            assert message_in_hand or after.phase is Phase.WAITING or after.phase.finished


@given(firsts, choices)
@settings(max_examples=200)
def test_nothing_that_was_asked_to_stop_waits(first: TaskSubmitted, numbers: list[int]) -> None:
    for _, _, after in steps(first, numbers):
        assert after.cancel_requested_by is None or after.phase is not Phase.WAITING


@given(firsts, choices, st.sampled_from([None, -1, 0, 1]), st.booleans(), st.sampled_from(["m1", "m2", "due"]))
@settings(max_examples=200)
def test_a_claim_is_granted_only_to_whom_the_task_is_free(
    first: TaskSubmitted, numbers: list[int], release: int | None, redelivered: bool, message: str
) -> None:
    state = state_after(chosen(first, numbers))
    version = None if release is None else state.version + release
    claim = Claim(at=AT, worker="w2", delivery_id=message, redelivered=redelivered, deadline_at=None, release=version)
    try:
        events = decide(state, claim)
    except Refusal:
        return
    takes_over = state.held and redelivered and message == state.delivery_id
    free = {Phase.QUEUED: True, Phase.WAITING: version == state.version, Phase.RUNNING: takes_over}
    assert free[state.phase]
    assert isinstance(events[0], AttemptLost) == (state.phase is Phase.RUNNING)


@given(firsts, choices)
@settings(max_examples=200)
def test_what_is_recorded_without_a_look_at_the_stream_is_what_a_look_decides(
    first: TaskSubmitted, numbers: list[int]
) -> None:
    for before, _, _ in steps(first, numbers):
        if before.phase is not Phase.RUNNING or before.cancel_requested_by is not None:
            continue
        for intention in intentions(before).values():
            if isinstance(intention, RecordOutcome) and (events := outcome_events(intention)) is not None:
                assert decide(before, intention) == events


@given(firsts, choices, st.integers(1, 3))
@settings(max_examples=100)
def test_whoever_has_another_fence_changes_nothing(first: TaskSubmitted, numbers: list[int], off: int) -> None:
    state = state_after(chosen(first, numbers))
    for intention in intentions(replace(state, fence=state.fence - off)).values():
        if hasattr(intention, "fence") and not isinstance(intention, Survive):
            with pytest.raises(Refusal):
                decide(state, intention)


@given(firsts, choices)
@settings(max_examples=100)
def test_nothing_more_happens_to_a_task_that_has_ended(first: TaskSubmitted, numbers: list[int]) -> None:
    state = state_after(chosen(first, numbers))
    if not state.phase.finished:
        state = state_after([*chosen(first, numbers), TaskFailed(cause=Cause.REJECTED, message="no worker knows it")])
    for intention in intentions(state).values():
        if isinstance(intention, Amend):
            assert not intention.manual_cleanup or state.phase is Phase.SUCCEEDED or refuses(state, intention)
        elif isinstance(intention, Release):
            assert decide(state, intention) == []
        elif not isinstance(intention, Replay) or state.phase is Phase.SUCCEEDED:
            with pytest.raises(Refusal):
                decide(state, intention)


def refuses(state: TaskState, intention: Intention) -> bool:
    try:
        decide(state, intention)
    except Refusal:
        return True
    return False


@given(firsts, choices)
@settings(max_examples=100)
def test_what_users_write_changes_nothing_of_what_a_task_does(first: TaskSubmitted, numbers: list[int]) -> None:
    for before, intention, after in steps(first, numbers):
        if isinstance(intention, Amend):
            assert after == replace(before, version=after.version, manual_cleanup=after.manual_cleanup)


@given(histories)
@settings(max_examples=200)
def test_a_history_has_ended_when_its_state_has(history: list[Event]) -> None:
    for length in range(1, len(history) + 1):
        assert has_ended(history[:length]) == state_after(history[:length]).phase.finished


def steps(first: TaskSubmitted, numbers: list[int]) -> Iterator[tuple[TaskState, Intention, TaskState]]:
    """Each state of a history, what somebody wanted in it, and the state after that."""
    told: list[tuple[TaskState, Intention]] = []
    chosen(first, numbers, lambda state, intention: told.append((state, intention)))
    for before, intention in told:
        after = before
        for event in decide(before, intention):
            after = evolve(after, event, after.version + 1)
        yield before, intention, after


# The generator of histories is worth something only if it comes everywhere.


def test_histories_reach_every_phase_and_every_event() -> None:
    chance = random.Random(1)
    seen: set[type[Event]] = set()
    phases: set[Phase] = set()
    for cancellation in [0, CANNOT_CANCEL] * 50:
        first = TaskSubmitted(name="noop", cancellation=cancellation)
        history = chosen(first, [chance.randrange(1000) for _ in range(20)])
        seen |= {type(event) for event in history}
        phases |= {state_after(history[:length]).phase for length in range(1, len(history) + 1)}
    assert seen == set(EVENT_TYPES.values())
    assert phases == set(Phase)
