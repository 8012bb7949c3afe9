"""Claiming tasks. What is written, and when, is `journal`'s business. Synchronous; runs in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from batchtask.events import AttemptStarted, RecordedEvent
from batchtask.identifiers import TaskId, may_be_shared
from batchtask.intentions import AlreadyFinished, Claim, HeldByAnother, NotDue
from batchtask.messages import SubmitTask
from batchtask.store import Append, EventStore, first_event
from batchtask.task import decide, start_attempt
from batchtask.task_state import Phase, TaskState, as_recorded, fold
from worker.deciding import decide_until_first
from worker.lease import Lease, Refused
from worker.turns import Distance, Turn, Turns


@dataclass(frozen=True)
class ClaimRequest:
    """One delivery that wants to be worked on."""

    command: SubmitTask
    message_id: str
    redelivered: bool
    limit_seconds: float | None
    traceparent: str | None = None
    held: bool = True
    lease_seconds: float = 180.0
    lost_attempts: int = 3
    release: int | None = None  #: version of the wait that the delivery ends
    unable: str = ""  #: why this worker cannot run it
    turn: Distance | None = None  #: the definition's runs never overlap

    @property
    def plain(self) -> bool:
        """Nothing about it asks for a look at the stream first: what it holds is what stands there, or will."""
        waits = self.release is not None or self.command.start_at is not None
        return not (waits or self.unable or self.turn is not None or may_be_shared(self.command.task_id))


@dataclass(frozen=True)
class FirstTries:
    """What to append so that every task that nobody tried before is claimed."""

    requests: dict[TaskId, ClaimRequest]
    ensure: list[RecordedEvent]
    appends: list[Append]


class ClaimDesk:
    """Hands out leases by appending `AttemptStarted`.

    Args:
        store: Where the streams are.
        worker: This worker's name in the streams: `host/boot id`.
        now: The clock.
    """

    def __init__(self, store: EventStore, worker: str, now: Callable[[], datetime]) -> None:
        self._store = store
        self._worker = worker
        self._now = now
        self._turns = Turns(store.engine)

    def first_tries(self, requests: Sequence[ClaimRequest]) -> FirstTries:
        """Nearly every claim is the first of its task: try that without looking, a conflict tells otherwise."""
        at = self._now()
        new: dict[TaskId, ClaimRequest] = {}
        for request in requests:
            if request.plain:
                new.setdefault(request.command.id, request)
        return FirstTries(
            requests=new,
            ensure=[first_event(request.command) for request in new.values()],
            appends=[Append(task_id, 0, [self._start(request, at)], at) for task_id, request in new.items()],
        )

    def answers(
        self, requests: Sequence[ClaimRequest], tries: FirstTries, refused: Set[TaskId]
    ) -> list[Lease | Refused | Exception]:
        """Grant what was appended, and decide on the rest by reading: a lease, a refusal, or an error of one alone.

        Repeating a claim after a crash is safe: the stream then says who holds the task.

        Raises:
            StoreUnavailable: Nothing is known; claim again.
        """
        granted = {append.task_id: append for append in tries.appends if append.task_id not in refused}
        return [
            self._grant(request, granted[request.command.id])
            if request is tries.requests.get(request.command.id) and request.command.id in granted
            else decide_until_first(partial(self._decide_once, request))
            for request in requests
        ]

    def _decide_once(self, request: ClaimRequest) -> Lease | Refused | None:
        if request.turn is None:
            return self._decide_now(request)
        with self._turns.taking(request.command.name, request.turn) as turn:
            return self._decide_now(request, turn)

    def _decide_now(self, request: ClaimRequest, turn: Turn | None = None) -> Lease | Refused | None:
        at = self._now()
        task_id = request.command.id
        begin = first_event(request.command)
        self._store.append_many([], ensure=[begin])
        history = self._store.load(task_id)
        state = fold(history)
        assert state is not None
        if state.name != request.command.name:
            return Refused("another task", [])  # the first with this id counts, and has a message of its own
        if state.phase is Phase.RUNNING and (state.worker, state.delivery_id) == (self._worker, request.message_id):
            # Our own claim, whose answer was lost with a database connection.
            return self._lease(request, history, state)
        intention = self._intention(request, at)
        try:
            events = decide(state, intention)
            if turn is not None and isinstance(events[-1], AttemptStarted):
                events = decide(state, turn.restrict(intention))
        except AlreadyFinished:
            return Refused("finished", history)
        except NotDue:
            return Refused("waiting", history)
        except HeldByAnother:
            return Refused("duplicate", [])
        append = Append(task_id, state.version, events, at)
        if not (self._store.append_many([append]) == set() if turn is None else turn.append(append)):
            return None
        if not isinstance(events[-1], AttemptStarted):
            return Refused("ended at the claim", [*history, *append.recorded()])
        return self._grant(request, append, state)

    def _intention(self, request: ClaimRequest, at: datetime) -> Claim:
        deadline_at = None if request.limit_seconds is None else at + timedelta(seconds=request.limit_seconds)
        return Claim(
            at=at,
            worker=self._worker,
            delivery_id=request.message_id,
            redelivered=request.redelivered,
            deadline_at=deadline_at,
            held=request.held,
            lease_seconds=request.lease_seconds,
            lost_attempts=request.lost_attempts,
            release=request.release,
            unable=request.unable,
        )

    def _start(self, request: ClaimRequest, at: datetime) -> AttemptStarted:
        return start_attempt(self._intention(request, at))

    def _grant(self, request: ClaimRequest, append: Append, state: TaskState | None = None) -> Lease:
        recorded = append.recorded()
        return self._lease(request, recorded, fold(recorded, state) if state is not None else None)

    def _lease(self, request: ClaimRequest, news: Sequence[RecordedEvent], state: TaskState | None = None) -> Lease:
        started = [event.body for event in news if isinstance(event.body, AttemptStarted)][-1]
        # Whoever looked at the stream goes by it: the message may be a repetition with other content.
        command = request.command if state is None else as_recorded(request.command, state)
        return Lease(
            command=command,
            attempt=started.attempt,
            fence=started.fence,
            version=news[-1].version,
            news=list(news),
            limit_seconds=request.limit_seconds,
            held=started.held,
            checkpoint=state.checkpoint if state is not None else None,
            traceparent=request.traceparent,
            cancel_requested=state is not None and state.cancel_requested_by is not None,
        )
