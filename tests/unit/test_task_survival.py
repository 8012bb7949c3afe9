"""The aggregate among machines that crash: a model of broker, workers, scheduler and reconciler around `decide`.

Whatever was published twice, lost or cut off between any two steps: the task ends, once, and leaves no message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask.events import TERMINAL_EVENTS, AttemptStarted, Event, TaskSubmitted
from batchtask.intentions import Claim, Defer, Expire, Intention, RecordOutcome, Refusal, Release, RequestCancel
from batchtask.outcomes import Failed, Interrupted, Lost, Outcome, Passed, Snoozed, Succeeded
from batchtask.retrying import UNLIMITED, RetryPolicy
from batchtask.task import decide
from batchtask.task_state import Phase, TaskState
from tests.histories import AT, state_after

FOR_EVER = RetryPolicy(attempts=UNLIMITED, lost_attempts=UNLIMITED)
OUTCOMES: list[Outcome] = [
    Failed(message="busy", retry=True),
    Snoozed(seconds=5),
    Passed(),
    Interrupted(reason="shutdown"),
    Lost(detail="SIGKILL"),
]


@dataclass(frozen=True)
class Message:
    id: str
    release: int | None
    redelivered: bool = False


@dataclass(frozen=True)
class Attempt:
    """What one worker works on; `message` is unacknowledged."""

    fence: int
    message: Message | None


class World:
    """One task and all that moves it. Every method is one step of one process, cut off where `dies` says so."""

    def __init__(self, first: TaskSubmitted) -> None:
        self.history: list[Event] = [first]
        self.queue: list[Message] = []
        self.attempts: list[Attempt] = []
        self._ids = count(1)

    @property
    def state(self) -> TaskState:
        return state_after(self.history)

    def submit(self) -> None:
        """Somebody publishes the command, perhaps once more."""
        self.queue.append(Message(f"m{next(self._ids)}", None))

    def deliver(self, *, held: bool = True, unable: str = "", dies: bool = False, lost_ack: bool = False) -> None:
        """A worker is given the oldest message, and claims."""
        if not self.queue:
            return
        message = self.queue.pop(0)
        if not self._wants(_claim(message, held, unable)) or not isinstance(self.history[-1], AttemptStarted):
            if dies:
                self._give_back(message)
            return
        if dies or lost_ack:
            self._give_back(message)
        if not dies:
            self.attempts.append(Attempt(self.state.fence, message if held else None))

    def end(self, outcome: Outcome, *, dies: int = 0) -> None:
        """The oldest attempt ends; 1: its worker dies before that is recorded, 2: before it acknowledges."""
        if not self.attempts:
            return
        attempt = self.attempts.pop(0)
        message = attempt.message
        record = RecordOutcome(
            fence=attempt.fence, outcome=outcome, at=AT, policy=FOR_EVER, loses_message=message is None
        )
        recorded = dies != 1 and self._wants(record)
        if message is None:
            return
        if dies or (recorded and isinstance(outcome, Lost)):
            self._give_back(message)  # the worker that holds it after a lost child claims with it, too
        elif recorded and isinstance(outcome, Interrupted) and not self.state.phase.finished:
            self.submit()

    def release(self, *, dies: bool = False) -> None:
        """A scheduler publishes a task that waits, and records that unless it dies in between."""
        state = self.state
        if state.phase is Phase.WAITING:
            self.queue.append(Message(f"m{next(self._ids)}", state.version))
            if not dies:
                self._wants(Release(version=state.version))

    def cut_off(self) -> None:
        """All workers lose their connections, and live on."""
        for attempt in self.attempts:
            if attempt.message is not None:
                self._give_back(attempt.message)
        self.attempts = [replace(attempt, message=None) for attempt in self.attempts]

    def wipe(self) -> None:
        """The broker's disk is gone."""
        self.queue.clear()

    def cancel(self) -> None:
        self._wants(RequestCancel(requested_by=5, reason=""))

    def reconcile(self) -> None:
        """Nothing is heard of whoever should work, or nothing is queued."""
        state = self.state
        alive = any(attempt.fence == state.fence for attempt in self.attempts)
        if state.phase is Phase.RUNNING and not alive:
            self._wants(Expire(fence=state.fence, at=AT, detail="silent"))
        elif state.phase is Phase.QUEUED and not self.queue:
            self._wants(Defer(due_at=AT, reason="its message is gone"))

    def _give_back(self, message: Message) -> None:
        self.queue.append(replace(message, redelivered=True))

    def _wants(self, intention: Intention) -> bool:
        try:
            self.history += decide(self.state, intention)
        except Refusal:
            return False
        return True


def _claim(message: Message, held: bool, unable: str) -> Claim:
    return Claim(
        at=AT,
        worker="w",
        delivery_id=message.id,
        redelivered=message.redelivered,
        deadline_at=None,
        held=held,
        lost_attempts=UNLIMITED,
        release=message.release,
        unable=unable,
    )


STEPS: list[Callable[[World], None]] = [
    World.submit,
    World.deliver,
    World.deliver,
    World.deliver,
    lambda world: world.deliver(held=False),
    lambda world: world.deliver(held=False, lost_ack=True),
    lambda world: world.deliver(dies=True),
    lambda world: world.deliver(held=False, dies=True),
    lambda world: world.deliver(unable="nobody knows it"),
    *(lambda world, outcome=outcome: world.end(outcome) for outcome in OUTCOMES),
    *(lambda world, outcome=outcome: world.end(outcome, dies=2) for outcome in OUTCOMES),
    lambda world: world.end(Succeeded(), dies=1),
    World.release,
    World.release,
    World.release,
    lambda world: world.release(dies=True),
    World.cut_off,
    World.wipe,
    World.reconcile,
]
steps = st.lists(st.sampled_from(STEPS), max_size=40)


def calm_down(world: World) -> None:
    """From here on nothing goes wrong, and task code succeeds."""
    for _ in range(len(world.queue) + len(world.attempts) + 8):
        world.deliver()
        world.end(Succeeded())
        world.release()
        world.reconcile()


@given(st.booleans(), steps)
@settings(max_examples=150)
def test_whatever_dies_the_task_succeeds_once_when_it_is_left_alone(
    later: bool, troubles: list[Callable[[World], None]]
) -> None:
    world = World(TaskSubmitted(name="noop", start_at=AT if later else None))
    if not later:
        world.submit()
    for trouble in troubles:
        trouble(world)

    calm_down(world)

    assert world.state.phase is Phase.SUCCEEDED
    assert sum(isinstance(event, TERMINAL_EVENTS) for event in world.history) == 1
    assert (world.queue, world.attempts) == ([], [])


@given(steps, steps)
@settings(max_examples=100)
def test_whatever_dies_a_task_that_was_cancelled_ends(
    before: list[Callable[[World], None]], after: list[Callable[[World], None]]
) -> None:
    world = World(TaskSubmitted(name="noop"))
    world.submit()
    for trouble in before:
        trouble(world)
    world.cancel()
    started = world.state.fence
    for trouble in after:
        trouble(world)

    calm_down(world)

    assert world.state.phase.finished
    assert world.state.fence == started, "nothing begins after the wish"


@given(steps)
@settings(max_examples=150)
def test_no_two_attempts_can_both_record(troubles: list[Callable[[World], None]]) -> None:
    world = World(TaskSubmitted(name="noop"))
    world.submit()
    for trouble in troubles:
        trouble(world)
        able = 0
        for attempt in world.attempts:
            try:
                decide(world.state, RecordOutcome(fence=attempt.fence, outcome=Succeeded(), at=AT))
                able += 1
            except Refusal:
                continue
        assert able <= 1


@given(st.lists(st.sampled_from([step for step in STEPS if step is not World.cut_off]), max_size=40))
@settings(max_examples=150)
def test_no_two_workers_work_on_it_at_once_while_none_is_cut_off(troubles: list[Callable[[World], None]]) -> None:
    world = World(TaskSubmitted(name="noop"))
    world.submit()
    for trouble in troubles:
        trouble(world)
        assert len(world.attempts) <= 1
