"""Recording what attempts report and end in, under their fence; `journal` writes it. Runs in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from batchtask.errors import LeaseLost
from batchtask.events import Event, RecordedEvent, has_ended
from batchtask.identifiers import TaskId
from batchtask.intentions import RecordOutcome, Refusal, Report, Survive
from batchtask.store import Append, EventStore
from batchtask.task import decide, outcome_events
from batchtask.task_state import TaskState, evolve, fold
from worker.deciding import decide_until_first
from worker.lease import Lease


@dataclass(frozen=True)
class RecordRequest:
    """Something that an attempt wants to have in its stream."""

    lease: Lease
    intention: RecordOutcome | Report | Survive


@dataclass(frozen=True)
class Recorded:
    """It is in the stream now."""

    news: list[RecordedEvent]
    cancel_requested: bool = False  #: somebody asked for a stop, and that stands in the stream before the news
    cancel_forced: bool = False  #: and wants it killed

    @property
    def finished(self) -> bool:
        """Whether this ended the task."""
        return has_ended(event.body for event in self.news)


@dataclass(frozen=True)
class Plain:
    """What to append so that everything is recorded that does not depend on what else stands in the streams."""

    requests: dict[TaskId, list[tuple[RecordRequest, list[Event]]]]
    appends: list[Append]


class RecordDesk:
    """Appends outcomes, progress and heartbeats; many attempts, one statement.

    Args:
        store: Where the streams are.
        now: The clock.
    """

    def __init__(self, store: EventStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def plain(self, requests: Sequence[RecordRequest]) -> Plain:
        """What can be appended without reading, for each stream its requests joined."""
        at = self._now()
        joined = _joined(requests)
        return Plain(
            requests=joined,
            appends=[
                Append(task_id, of_task[0][0].lease.version, [event for _, events in of_task for event in events], at)
                for task_id, of_task in joined.items()
            ],
        )

    def answers(
        self, requests: Sequence[RecordRequest], plain: Plain, refused: Set[TaskId]
    ) -> list[Recorded | Exception]:
        """Say what was recorded, and decide on the rest by reading; `LeaseLost` for one that is not ours any more.

        Raises:
            StoreUnavailable: Not known whether it was written; recording again finds out.
        """
        written = {
            id(request): (events, append.occurred_at)
            for append in plain.appends
            if append.task_id not in refused
            for request, events in plain.requests[append.task_id]
        }
        return [
            self._written(request, *written[id(request)])
            if id(request) in written
            else decide_until_first(partial(self._decide_once, request))
            for request in requests
        ]

    def _written(self, request: RecordRequest, events: Sequence[Event], at: datetime) -> Recorded:
        """Advance the lease by the request's own share of what was appended for its stream."""
        return self._done(request, Append(request.lease.task_id, request.lease.version, events, at))

    def _decide_once(self, request: RecordRequest) -> Recorded | None:
        lease = request.lease
        history = self._store.load(lease.task_id)
        state = fold(history)
        if state is None:
            raise LeaseLost(str(lease.task_id), lease.fence)
        try:
            events = decide(state, request.intention)
        except Refusal as error:
            return self._repeated(request, history, error)
        append = Append(lease.task_id, state.version, events, self._now())
        if self._store.append_many([append]):
            return None
        return self._done(request, append, state)

    def _repeated(self, request: RecordRequest, history: Sequence[RecordedEvent], error: Refusal) -> Recorded:
        """After a lost connection we record again what may be there already: our own events are no conflict."""
        state: TaskState | None = None
        for index, event in enumerate(history):
            if state is not None and _stands_at(index, history, state, request.intention):
                return Recorded(list(history[index:]))
            state = evolve(state, event.body, event.version)
        raise LeaseLost(str(request.lease.task_id), request.lease.fence) from error

    def _done(self, request: RecordRequest, append: Append, state: TaskState | None = None) -> Recorded:
        recorded = append.recorded()
        if isinstance(request.intention, Survive):
            # It stands in the stream of whoever has the task now: what else this attempt says must not follow it.
            return Recorded(recorded)
        lease = request.lease
        lease.version = recorded[-1].version
        lease.over = isinstance(request.intention, RecordOutcome)
        if state is not None:
            lease.cancel_requested = state.cancel_requested_by is not None
            lease.cancel_forced = state.cancel_forced
        # Not read, and so in no conflict: then nobody has wished for more than was known before.
        return Recorded(recorded, lease.cancel_requested, lease.cancel_forced)


def _joined(requests: Sequence[RecordRequest]) -> dict[TaskId, list[tuple[RecordRequest, list[Event]]]]:
    """What can be appended without reading: for each stream one lease's requests, until one needs the state."""
    joined: dict[TaskId, list[tuple[RecordRequest, list[Event]]]] = {}
    closed: set[TaskId] = set()
    for request in requests:
        task_id = request.lease.task_id
        events = _events(request)
        if events is None:
            closed.add(task_id)
        elif task_id not in closed:
            of_task = joined.setdefault(task_id, [])
            # A worker may have two attempts at one task, when it was taken for dead: the older one's words must not
            # follow under the lease of the newer one.
            if not of_task or of_task[0][0].lease is request.lease:
                of_task.append((request, events))
        if isinstance(request.intention, RecordOutcome):
            closed.add(task_id)  # a heartbeat that was late must not follow the end
    return joined


def _events(request: RecordRequest) -> list[Event] | None:
    intention = request.intention
    # An outcome that was written already is written again when the rest of its batch was not answered.
    if isinstance(intention, Survive) or request.lease.over:
        return None
    if isinstance(intention, Report):
        return [intention.event]
    # A version that is right proves that nothing stands in between, and so no wish; a wish before it proves nothing.
    return None if request.lease.cancel_requested else outcome_events(intention)


def _stands_at(
    index: int, history: Sequence[RecordedEvent], state: TaskState, intention: RecordOutcome | Report | Survive
) -> bool:
    """Whether the stream goes on, behind a state, with exactly what the intention means there."""
    if isinstance(intention, Report):
        return False  # telling it again does no harm
    try:
        expected = decide(state, intention)
    except Refusal:
        return False
    return [event.body for event in history[index : index + len(expected)]] == expected
