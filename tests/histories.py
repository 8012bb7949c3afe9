"""Histories as they may really come about: every event was decided. For tests of what holds for any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from batchtask.events import (
    CancelNoticed,
    CheckpointSaved,
    Event,
    HeartbeatRecorded,
    ProgressReported,
    RecordedEvent,
)
from batchtask.intentions import (
    Amend,
    Claim,
    Defer,
    Expire,
    Intention,
    RecordOutcome,
    Refusal,
    Reject,
    Release,
    Replay,
    Report,
    RequestCancel,
    Survive,
)
from batchtask.outcomes import (
    Cancelled,
    Failed,
    Interrupted,
    Lost,
    Outcome,
    OutOfMemory,
    Passed,
    Snoozed,
    Succeeded,
    TimedOut,
)
from batchtask.retrying import RetryPolicy
from batchtask.task import decide
from batchtask.task_state import TaskState, fold

TASK = UUID("01900000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG = "ø" * 300
LOST_ATTEMPTS = 3
POLICY = RetryPolicy(attempts=3, time_limit_attempts=2, memory_attempts=2, lost_attempts=LOST_ATTEMPTS)

OUTCOMES: dict[str, Outcome] = {
    "succeeded": Succeeded(response=LONG, file_name=LONG),
    "failed": Failed(message="no \0 members", detail="traceback"),
    "failed for now": Failed(message="busy", retry=True),
    "timed out": TimedOut(limit_seconds=2.5),
    "out of memory": OutOfMemory(limit_mb=100),
    "cancelled": Cancelled(response="half"),
    "killed": Cancelled(forced=True),
    "snoozed": Snoozed(seconds=60, reason=LONG),
    "passed": Passed(response=LONG),
    "interrupted": Interrupted(reason="told to stop"),
    "lost": Lost(detail="SIGKILL"),
}


def intentions(state: TaskState) -> dict[str, Intention]:
    """Everything somebody may want of a task in this state; much of it is refused most of the time."""
    fence, at = state.fence, AT + timedelta(seconds=state.version)

    def claim(delivery_id: str = "m1", *, redelivered: bool = False, held: bool = True, unable: str = "") -> Claim:
        return Claim(
            at=at,
            worker="w",
            delivery_id=delivery_id,
            redelivered=redelivered,
            deadline_at=None,
            held=held,
            lost_attempts=LOST_ATTEMPTS,
            release=state.version if delivery_id == "due" else None,
            unable=unable,
        )

    return {
        "claim": claim(),
        "claim of a copy": claim("m2"),
        "claim of a redelivery": claim(state.delivery_id, redelivered=True),
        "claim when due": claim("due"),
        "claim for a lease": claim("due", held=False),
        "claim that cannot run it": claim("due", unable="No worker knows it"),
        **{
            name: RecordOutcome(
                fence=fence, outcome=outcome, at=at, policy=POLICY, chance=0.5, loses_message=not state.held
            )
            for name, outcome in OUTCOMES.items()
        },
        "progress": _progress(state),
        "heartbeat": Report(fence=fence, event=HeartbeatRecorded(fence=fence)),
        "cancel noticed": Report(fence=fence, event=CancelNoticed(fence=fence)),
        "survive": Survive(fence=fence - 1),
        "expire": Expire(fence=fence, at=at, detail="silent for too long"),
        "defer": Defer(due_at=at, reason="Its message is gone"),
        "release": Release(version=state.version),
        "cancel": RequestCancel(requested_by=5, reason="enough"),
        "cancel by force": RequestCancel(requested_by=6, reason="enough", force=True),
        "reject": Reject(message="no worker knows it"),
        "replay": Replay(requested_by=8, at=at),
        "replay with parameters": Replay(requested_by=8, at=at, parameters={"count": state.version}),
        "amend": Amend(requested_by=9, description=LONG, response=f"said at {state.version}"),
        "amend the cleanup": Amend(requested_by=9, request="", manual_cleanup=True),
    }


def _progress(state: TaskState) -> Report:
    event = ProgressReported(fence=state.fence, percent=10 * state.version % 101, text=LONG)
    return Report(fence=state.fence, event=event)


def state_after(history: Sequence[Event]) -> TaskState:
    state = fold(recorded(history))
    assert state is not None
    return state


def recorded(history: Sequence[Event]) -> list[RecordedEvent]:
    return [RecordedEvent(TASK, version, AT, body) for version, body in enumerate(history)]


def carried_out(first: Event, names: Iterable[str]) -> list[Event]:
    """What follows when somebody wants these things one after the other; nobody may refuse."""
    history = [first]
    for name in names:
        state = state_after(history)
        history += decide(state, intentions(state)[name])
    return history


def chosen(
    first: Event, choices: Iterable[int], told: Callable[[TaskState, Intention], None] | None = None
) -> list[Event]:
    """What follows when each number chooses among the intentions that are not refused then.

    Args:
        first: The first event.
        choices: Any numbers from 0.
        told: Called with each state and what was wanted in it.
    """
    history = [first]
    for choice in choices:
        state = state_after(history)
        wanted = intentions(state)
        if choice % 7 == 6 and state.phase.name == "RUNNING":
            history.append(CheckpointSaved(fence=state.fence, data={"done": state.version}))
            continue
        answers = [(one, answer) for one in wanted.values() if (answer := _answer(state, one))]
        if answers:
            intention, answer = answers[choice % len(answers)]
            if told is not None:
                told(state, intention)
            history += answer
    return history


def _answer(state: TaskState, intention: Intention) -> list[Event]:
    try:
        return decide(state, intention)
    except Refusal:
        return []
