"""The fold: what the events of a task say about it, and the command that asks for it once more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask import envelope
from batchtask.events import (
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    AttemptSurvived,
    Event,
    HeartbeatRecorded,
    PassCompleted,
    TaskFailed,
    TaskReleased,
    TaskReplayed,
    TaskSubmitted,
)
from batchtask.intentions import Refusal, Survive
from batchtask.messages import SubmitTask
from batchtask.outcomes import Cause
from batchtask.task import decide
from batchtask.task_state import MOST_SURVIVALS, Phase, TaskState, as_recorded, evolve, fold, resubmission, submitted
from tests.histories import AT, TASK, chosen, recorded, state_after

SUBMITTED = TaskSubmitted(name="noop", owner=7)


def test_the_state_counts_attempts_but_not_the_interrupted_ones() -> None:
    started = [AttemptStarted(attempt=1, fence=fence, worker="w", delivery_id="d") for fence in (1, 2)]
    history = [SUBMITTED, started[0], AttemptInterrupted(fence=1), started[1], AttemptLost(fence=2)]
    state = state_after(history)
    assert (state.version, state.phase, state.attempt, state.fence) == (4, Phase.QUEUED, 1, 2)
    assert {cause: state.failed(cause) for cause in Cause if state.failed(cause)} == {Cause.LOST_WORKER: 1}


@pytest.mark.parametrize(
    ("worker_survived", "lost_attempts", "last"),
    [
        ([], 3, False),
        ([False], 3, False),
        ([False, False], 3, True),
        ([True, False], 3, True),
        ([True, True], 3, False),  # it kills only its own process, and harms nobody
        ([False], 2, True),
        ([False, False], -1, False),
        ([], 1, False),  # every attempt would be one, of a task that nothing is known against
    ],
)
def test_an_attempt_is_the_last_chance_when_its_next_loss_ends_a_task_that_has_lost_whole_workers(
    worker_survived: list[bool], lost_attempts: int, last: bool
) -> None:
    state = state_after(losses(worker_survived, lost_attempts))
    assert state.last_chance is last
    assert not evolve(state, AttemptInterrupted(fence=state.fence), state.version + 1).last_chance


def test_a_new_pass_has_all_chances_again() -> None:
    history = losses([False, False], 3)
    history += [PassCompleted(fence=3, due_at=AT), TaskReleased(), *losses([True, True], 3)[1:]]
    assert not state_after(history).last_chance


def losses(worker_survived: Sequence[bool], lost_attempts: int) -> list[Event]:
    """A task that has lost attempts, and runs."""
    history: list[Event] = [SUBMITTED]
    for fence in range(1, len(worker_survived) + 2):
        history.append(
            AttemptStarted(attempt=fence, fence=fence, worker="w", delivery_id="d", lost_attempts=lost_attempts)
        )
        history += [AttemptLost(fence=fence, worker_survived=one) for one in worker_survived[fence - 1 : fence]]
    return history


def test_the_first_event_says_all_that_the_command_said() -> None:
    command = SubmitTask(
        task_id=TASK,
        name="report",
        submitted_at=AT,
        parameters={"selection_id": 88},
        payload_ref="/payloads/1.json",
        owner=7,
        description="d",
        request="r",
        database_tag="north",
        details_table=5,
        details_record=6,
        batch_id=UUID(int=2),
        correlation_id=UUID(int=3),
        cancellation=1,
        schedule="nightly",
    )
    first = submitted(command)
    assert {name: getattr(first, name) for name in first.__struct_fields__} == {
        name: getattr(command, name) for name in first.__struct_fields__
    }
    state = evolve(None, first, 0)
    assert (state.name, state.owner, state.submitted.parameters) == ("report", 7, {"selection_id": 88})
    assert (state.phase, state.submitted.payload_ref) == (Phase.QUEUED, "/payloads/1.json")


def test_a_stream_that_does_not_begin_with_its_submission_is_an_error() -> None:
    with pytest.raises(ValueError, match="HeartbeatRecorded"):
        evolve(None, HeartbeatRecorded(fence=1), 0)
    assert fold([]) is None


@given(st.lists(st.integers(0, 1000), max_size=16))
@settings(max_examples=50)
def test_folding_goes_on_from_any_state(choices: list[int]) -> None:
    events = recorded(chosen(SUBMITTED, choices))
    whole = fold(events)
    for middle in range(len(events) + 1):
        assert fold(events[middle:], fold(events[:middle])) == whole


words = st.text(max_size=5)
firsts = st.builds(
    TaskSubmitted,
    name=st.text(min_size=1, max_size=5),
    parameters=st.dictionaries(words, st.integers(-9, 9) | words, max_size=2),
    payload_ref=st.none() | words,
    owner=st.integers(0, 9),
    description=words,
    database_tag=words,
    batch_id=st.none() | st.uuids(),
    start_at=st.none() | st.just(AT),
    cancellation=st.integers(0, 2),
    schedule=words,
)


@given(firsts, st.lists(st.integers(0, 1000), max_size=10))
@settings(max_examples=50)
def test_the_command_made_from_a_stream_asks_for_the_same_task_at_once(
    first: TaskSubmitted, choices: list[int]
) -> None:
    state = state_after(chosen(first, choices))

    command = resubmission(TASK, state, AT)

    body = envelope.encode_command(command, source="/test", release=state.version)
    message = envelope.decode_command(body)
    assert (message.command, message.release) == (command, state.version)
    assert submitted(command) == msgspec.structs.replace(state.submitted, start_at=None)
    assert (command.task_id, command.submitted_at) == (TASK, AT)


def test_a_loss_of_an_attempt_that_lives_does_not_count() -> None:
    """Its worker was only cut off, which that says itself, once somebody else has taken over."""
    history: list[Event] = [TaskSubmitted(name="noop")]
    for fence in range(1, 6):
        history += [started(fence), AttemptLost(fence=fence)]
        state = state_after(history)
        assert not survives(state, fence - 1)  # that one was told, or never was
        history += decide(state, Survive(fence=fence))
        assert history[-1] == AttemptSurvived(fence=fence)

    state = state_after(history)
    assert (state.failed(Cause.LOST_WORKER), state.worker_died, state.attempt) == (0, False, 5)


def test_a_process_that_died_stays_dead() -> None:
    died: list[Event] = [TaskSubmitted(name="noop"), started(1), AttemptLost(fence=1, worker_survived=True)]
    replayed: list[Event] = [TaskSubmitted(name="noop"), started(1), AttemptLost(fence=1), _FAILED, _REPLAYED]

    assert not survives(state_after(died), 1)
    assert not survives(state_after(replayed[:-1]), 1)
    assert not survives(state_after(replayed), 1)


def test_what_cuts_its_worker_off_again_and_again_is_charged_in_the_end() -> None:
    history: list[Event] = [TaskSubmitted(name="noop")]
    for fence in range(1, MOST_SURVIVALS + 3):
        history += [started(fence), AttemptLost(fence=fence)]
        history += survives(state_after(history), fence)

    assert state_after(history).failed(Cause.LOST_WORKER) == 2


def survives(state: TaskState, fence: int) -> list[Event]:
    try:
        return decide(state, Survive(fence=fence))
    except Refusal:
        return []


_FAILED = TaskFailed(cause=Cause.LOST_WORKER, message="")
_REPLAYED = TaskReplayed(requested_by=0, due_at=AT)


def started(fence: int) -> AttemptStarted:
    return AttemptStarted(attempt=fence, fence=fence, worker="w", delivery_id="m", deadline_at=None)


def test_a_command_is_read_as_its_stream_has_it() -> None:
    """Another command with its id may have been first, and a replay may have changed the parameters."""
    late = SubmitTask(task_id=TASK, name="other", submitted_at=AT, parameters={"count": 1}, start_at=AT, owner=8)
    state = state_after([TaskSubmitted(name="noop", parameters={"count": 2}, owner=7)])

    read = as_recorded(late, state)

    assert read == SubmitTask(task_id=TASK, name="noop", submitted_at=AT, parameters={"count": 2}, owner=7)
