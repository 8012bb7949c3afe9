"""Claiming tasks. What is written, and when, is `journal`'s business. Synchronous; runs in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from batchtask import task
from batchtask.events import AttemptStarted, RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.messages import SubmitTask
from batchtask.store import Append, EventStore, first_event
from worker.deciding import decide_until_first
from worker.lease import Lease, Refused


@dataclass(frozen=True)
class ClaimRequest:
    """One delivery that wants to be worked on."""

    command: SubmitTask
    message_id: str
    redelivered: bool
    limit_seconds: float | None
    traceparent: str | None = None


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

    def first_tries(self, requests: Sequence[ClaimRequest]) -> FirstTries:
        """Nearly every claim is the first of its task: try that without looking, a conflict tells otherwise."""
        at = self._now()
        new: dict[TaskId, ClaimRequest] = {}
        for request in requests:
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
            if request is tries.requests[request.command.id] and request.command.id in granted
            else decide_until_first(partial(self._decide_once, request))
            for request in requests
        ]

    def _decide_once(self, request: ClaimRequest) -> Lease | Refused | None:
        at = self._now()
        task_id = request.command.id
        begin = first_event(request.command)
        self._store.append_many([], ensure=[begin])
        history = self._store.load(task_id)
        state = task.fold(history)
        assert state is not None
        if state.phase is task.Phase.RUNNING and (state.worker, state.delivery_id) == (
            self._worker,
            request.message_id,
        ):
            # Our own claim, whose answer was lost with a database connection.
            return self._lease(request, history, state.version)
        try:
            events = task.decide(state, self._intention(request, at))
        except task.AlreadyFinished:
            return Refused("finished", history)
        except task.HeldByAnother:
            return Refused("duplicate", [])
        append = Append(task_id, state.version, events, at)
        if self._store.append_many([append]):
            return None
        if not isinstance(events[-1], AttemptStarted):
            return Refused("ended at the claim", [*history, *append.recorded()])
        return self._grant(request, append)

    def _intention(self, request: ClaimRequest, at: datetime) -> task.Claim:
        deadline_at = None if request.limit_seconds is None else at + timedelta(seconds=request.limit_seconds)
        return task.Claim(
            worker=self._worker,
            delivery_id=request.message_id,
            redelivered=request.redelivered,
            deadline_at=deadline_at,
        )

    def _start(self, request: ClaimRequest, at: datetime) -> AttemptStarted:
        return task.start_attempt(self._intention(request, at))

    def _grant(self, request: ClaimRequest, append: Append) -> Lease:
        recorded = append.recorded()
        return self._lease(request, recorded, recorded[-1].version)

    def _lease(self, request: ClaimRequest, history: Sequence[RecordedEvent], version: int) -> Lease:
        started = [event.body for event in history if isinstance(event.body, AttemptStarted)][-1]
        return Lease(
            command=request.command,
            attempt=started.attempt,
            fence=started.fence,
            version=version,
            news=list(history),
            limit_seconds=request.limit_seconds,
            traceparent=request.traceparent,
        )
