"""Decisions that are made on this side: wishes to cancel, and tasks whose message was set aside. Synchronous."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from batchtask import envelope
from batchtask.broker import Delivery
from batchtask.errors import MessageError, TaskNotFound
from batchtask.events import AttemptStarted, CancelRequested, RecordedEvent, TaskDeferred, TaskReplayed
from batchtask.identifiers import TaskId
from batchtask.intentions import AlreadyFinished, Defer, HeldByAnother, Intention, Reject, RequestCancel
from batchtask.messages import CancelTask, SubmitTask
from batchtask.store import Append, EventStore, first_event
from batchtask.task import decide
from batchtask.task_state import Phase, TaskState, fold

#: What follows for a task, by its stream; None = nothing.
Choose = Callable[[Sequence[RecordedEvent], TaskState], Intention | None]

#: A task whose message was given back too often waits so long before it is published again, the first time, the
#: second time, …; then it fails. Guesses: at once after rolling restarts, later while workers crash on their start.
RESCUE_PAUSES_SECONDS = (0.0, 10.0, 60.0)
RESCUE = "Waiting to be queued again: whoever took it went away too often."


class Decisions:
    """Appends what follows from an intention, and returns what is to be projected.

    Args:
        store: Where the streams are.
        now: The clock.
    """

    def __init__(self, store: EventStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def cancel(self, command: CancelTask) -> list[RecordedEvent]:
        """Record a wish to cancel; a task that waits ends with it. Adds nothing to one that has finished.

        Nor does a message that comes again: the task may have begun anew since, and the wish was not meant for that.

        Raises:
            TaskNotFound: Not submitted, or not recorded yet.
        """

        def choose(history: Sequence[RecordedEvent], _: TaskState) -> Intention | None:
            return None if _stands(command, history) else _wish(command)

        return self._decide(command.id, choose)

    def reject(self, task_id: TaskId, message: str, delivery: Delivery) -> list[RecordedEvent]:
        """End a task whose message was set aside; adds nothing to one that runs, has finished, or is unknown."""
        return self._decide_on_letter(task_id, delivery, _always(Reject(message=message)))

    def rescue(self, task_id: TaskId, message: str, delivery: Delivery) -> list[RecordedEvent]:
        """Have a task published again that the broker gave up on and that nobody works on; end it the fourth time.

        Adds nothing to one that runs, for which its lease vouches, and nothing when a letter is recorded again while
        the task still waits.
        """

        def choose(history: Sequence[RecordedEvent], state: TaskState) -> Intention | None:
            if state.phase is not Phase.QUEUED:
                return None
            rescues = _rescues(history)
            if rescues >= len(RESCUE_PAUSES_SECONDS):
                return Reject(message=message)
            pause = timedelta(seconds=RESCUE_PAUSES_SECONDS[rescues])
            return Defer(due_at=self._now() + pause, reason=RESCUE)

        return self._decide_on_letter(task_id, delivery, choose)

    def _decide_on_letter(self, task_id: TaskId, delivery: Delivery, choose: Choose) -> list[RecordedEvent]:
        self._ensure_begun(delivery)
        try:
            return self._decide(task_id, choose)
        except TaskNotFound:
            return []

    def _ensure_begun(self, delivery: Delivery) -> None:
        try:
            command = envelope.decode_command(delivery.body).command
        except MessageError:
            return
        if isinstance(command, SubmitTask):
            self._store.append_many([], ensure=[first_event(command)])

    def _decide(self, task_id: TaskId, choose: Choose) -> list[RecordedEvent]:
        """Return the whole stream: a crash may have kept what was decided before from becoming known."""
        while True:
            history = self._store.load(task_id)
            state = fold(history)
            if state is None:
                raise TaskNotFound(str(task_id))
            intention = choose(history, state)
            if intention is None:
                return history
            try:
                append = Append(task_id, state.version, decide(state, intention), self._now())
            except (AlreadyFinished, HeldByAnother):
                return history
            if not self._store.append_many([append]):
                return [*history, *append.recorded()]


def _wish(command: CancelTask) -> RequestCancel:
    return RequestCancel(
        requested_by=command.requested_by,
        reason=command.reason,
        force=command.force,
        requested_at=command.requested_at,
    )


def _stands(command: CancelTask, history: Sequence[RecordedEvent]) -> bool:
    """Whether this very wish was recorded before. Not by its reason: the store may not keep that to the letter."""
    wanted = (command.requested_at, command.requested_by, command.force)
    wishes = (event.body for event in history if isinstance(event.body, CancelRequested))
    return any((wish.requested_at, wish.requested_by, wish.force) == wanted for wish in wishes)


def _always(intention: Intention) -> Choose:
    return lambda _history, _state: intention


def _rescues(history: Sequence[RecordedEvent]) -> int:
    """How often the task was rescued since somebody began to work on it."""
    count = 0
    for event in reversed(history):
        match event.body:
            case AttemptStarted() | TaskReplayed():
                break
            case TaskDeferred(reason=reason) if reason == RESCUE:
                count += 1
    return count
