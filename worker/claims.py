"""Claiming tasks. What is written, and when, is `journal`'s business. Synchronous; runs in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from weakref import WeakValueDictionary

from batchtask.errors import MessageError
from batchtask.events import AttemptStarted, RecordedEvent
from batchtask.identifiers import TaskId, may_be_shared
from batchtask.intentions import AlreadyFinished, Claim, HeldByAnother, NotDue
from batchtask.messages import SubmitTask
from batchtask.store import Append, EventStore, first_event
from batchtask.task import decide, start_attempt
from batchtask.task_state import Phase, TaskState, as_recorded, fold
from worker.deciding import decide_until_first
from worker.lease import ClaimAnswer, LastChance, Lease, Refused
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
    alone: bool = False  #: nothing runs beside it that could be waited for, so a last chance is granted, too
    #: Whether the broker still leaves the delivery with us: one that it took back proves nobody dead any more.
    in_hand: Callable[[], bool] = field(default=lambda: True, compare=False)

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


@dataclass(frozen=True)
class _Proposal:
    """What has to be appended before a claim is answered."""

    request: ClaimRequest
    append: Append
    history: list[RecordedEvent]
    after: TaskState


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
        self._unanswered: dict[int, ClaimRequest] = {}  #: by `id`: may stand in their streams, and nobody was told
        self._given = WeakValueDictionary[tuple[TaskId, int], Lease]()  #: those in somebody's hands, by fence

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
    ) -> list[ClaimAnswer | Exception]:
        """Grant what was appended, and decide on the rest by reading: a lease, a refusal, or an error of one alone.

        A task whose next loss would end it, and that has lost whole workers, is granted only to who runs it alone.
        Repeating a claim after a crash is safe: the stream then says who holds the task.

        Raises:
            StoreUnavailable: Nothing is known; claim again.
        """
        granted = {append.task_id: append for append in tries.appends if append.task_id not in refused}
        answers: dict[int, ClaimAnswer] = {
            id(tries.requests[task_id]): self._lease(tries.requests[task_id], append.recorded())
            for task_id, append in granted.items()
        }
        answers |= self._decide_together([request for request in requests if id(request) not in answers])
        return [
            answers[id(request)]
            if id(request) in answers
            else decide_until_first(partial(self._decide_once, request))
            for request in requests
        ]

    def broke_off(self, requests: Sequence[ClaimRequest]) -> None:
        """Note that these get no answer: what they may have appended is theirs when they come again."""
        self._unanswered |= {id(request): request for request in requests}

    def answered(self, requests: Sequence[ClaimRequest], answers: Iterable[object]) -> None:
        """Note that these have their answers: what they appended is in somebody's hands."""
        for request in requests:
            self._unanswered.pop(id(request), None)
        for answer in answers:
            if isinstance(answer, Lease):
                self._given[answer.task_id, answer.fence] = answer

    def _decide_together(self, requests: Sequence[ClaimRequest]) -> dict[int, ClaimAnswer]:
        """Decide on as many as possible with one look and one append; by `id` of the request, without the others."""
        alone: dict[TaskId, ClaimRequest] = {}
        for request in requests:
            if request.turn is None:
                alone.setdefault(request.command.id, request)
        if len(alone) < 2:
            return {}
        self._store.append_many([], ensure=[first_event(request.command) for request in alone.values()])
        try:
            histories = self._store.load_many(dict.fromkeys(alone, -1))
        except MessageError:
            return {}  # one of them cannot be read; the others must not suffer for it
        proposals = {task_id: self._propose(request, histories[task_id]) for task_id, request in alone.items()}
        refused = self._store.append_many([one.append for one in proposals.values() if isinstance(one, _Proposal)])
        return {
            id(alone[task_id]): self._concluded(one) if isinstance(one, _Proposal) else one
            for task_id, one in proposals.items()
            if task_id not in refused
        }

    def _decide_once(self, request: ClaimRequest) -> ClaimAnswer | None:
        if request.turn is None:
            return self._decide_alone(request)
        with self._turns.taking(request.command.name, request.command.id, request.turn) as turn:
            return self._decide_alone(request, turn)

    def _decide_alone(self, request: ClaimRequest, turn: Turn | None = None) -> ClaimAnswer | None:
        self._store.append_many([], ensure=[first_event(request.command)])
        proposal = self._propose(request, self._store.load(request.command.id), turn)
        if not isinstance(proposal, _Proposal):
            return proposal
        append = proposal.append
        if not (self._store.append_many([append]) == set() if turn is None else turn.append(append)):
            return None
        return self._concluded(proposal)

    def _propose(
        self, request: ClaimRequest, history: list[RecordedEvent], turn: Turn | None = None
    ) -> ClaimAnswer | _Proposal:
        """What a stream that has begun means for a claim: an answer, or what has to be appended for one."""
        state = fold(history)
        if state is None:
            return Refused("removed", [])  # it had ended, and somebody removed it: this is a copy of its message
        if state.name != request.command.name:
            return Refused("another task", [])  # the first with this id counts, and has a message of its own
        if self._stands(request, state):
            return self._lease(request, history, state)
        at = self._now()
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
        append = Append(request.command.id, state.version, events, at)
        after = fold(append.recorded(), state)
        assert after is not None
        if after.last_chance and not request.alone:
            return LastChance()
        return _Proposal(request, append, history, after)

    def _stands(self, request: ClaimRequest, state: TaskState) -> bool:
        """Whether a claim was granted before, and its answer lost with a database connection."""
        if id(request) not in self._unanswered or (request.command.id, state.fence) in self._given:
            return False
        ours = (state.worker, state.delivery_id) == (self._worker, request.message_id)
        return state.phase is Phase.RUNNING and ours

    def _note_found(self, request: ClaimRequest) -> None:
        """The claim of a message is found once, however many copies of it there are."""
        same = (request.command.id, request.message_id)
        for one in [*self._unanswered.values()]:
            if (one.command.id, one.message_id) == same:
                del self._unanswered[id(one)]

    def _concluded(self, proposal: _Proposal) -> Lease | Refused:
        append = proposal.append
        if not isinstance(append.events[-1], AttemptStarted):
            return Refused("ended at the claim", [*proposal.history, *append.recorded()])
        return self._lease(proposal.request, append.recorded(), proposal.after)

    def _intention(self, request: ClaimRequest, at: datetime) -> Claim:
        deadline_at = None if request.limit_seconds is None else at + timedelta(seconds=request.limit_seconds)
        return Claim(
            at=at,
            worker=self._worker,
            delivery_id=request.message_id,
            redelivered=request.redelivered and request.in_hand(),
            deadline_at=deadline_at,
            held=request.held,
            lease_seconds=request.lease_seconds,
            lost_attempts=request.lost_attempts,
            release=request.release,
            unable=request.unable,
        )

    def _start(self, request: ClaimRequest, at: datetime) -> AttemptStarted:
        return start_attempt(self._intention(request, at))

    def _lease(self, request: ClaimRequest, news: Sequence[RecordedEvent], state: TaskState | None = None) -> Lease:
        self._note_found(request)
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
            cancel_forced=state is not None and state.cancel_forced,
        )
