"""A worker's journal under everything that can happen to it, as a state machine for hypothesis.

One worker has any number of attempts at two tasks, old ones too, and writes what they say in random batches, while
others decide on the same tasks before, after and in the middle of it, answers get lost and streams are locked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from batchtask.errors import LeaseLost, StoreBusy, StoreUnavailable
from batchtask.events import (
    AttemptStarted,
    AttemptSurvived,
    CancelNoticed,
    CheckpointSaved,
    Event,
    HeartbeatRecorded,
    ProgressReported,
    RecordedEvent,
    TaskAmended,
    TaskReplayed,
)
from batchtask.identifiers import TaskId
from batchtask.intentions import RecordOutcome, Refusal, Report, Survive
from batchtask.store import Append, EventStore, first_event
from batchtask.task import decide
from batchtask.task_state import Phase, TaskState, evolve
from tests.desks import claim_request, command, ticking
from tests.fakes import FakeEventStore, as_stored
from tests.histories import AT, OUTCOMES, POLICY, intentions
from worker.claims import ClaimRequest
from worker.journal import Answer, Journal, Request
from worker.lease import LastChance, Lease, Refused
from worker.records import Recorded, RecordRequest

OURS = "ours"
REPORTS: dict[str, Callable[[int], Report]] = {
    "heartbeat": lambda fence: Report(fence=fence, event=HeartbeatRecorded(fence=fence)),
    "progress": lambda fence: Report(fence=fence, event=ProgressReported(fence=fence, percent=fence)),
    "cancel noticed": lambda fence: Report(fence=fence, event=CancelNoticed(fence=fence)),
}
#: What others want of a task; "claim …" is another worker.
WISHES = [
    "claim",
    "claim of a redelivery",
    "claim when due",
    "expire",
    "defer",
    "release",
    "cancel",
    "cancel by force",
    "reject",
    "replay",
]

TASKS = st.sampled_from([0, 0, 0, 1])
ANY = st.integers(0, 100)
#: Which attempt says what.
SAID = st.lists(st.tuples(ANY, st.sampled_from([*REPORTS, *REPORTS, "survive", *OUTCOMES])), min_size=2, max_size=6)
#: Of which task, whether with the message of its present attempt, whether redelivered, whether held.
CLAIMS = st.lists(st.tuples(TASKS, st.booleans(), st.booleans(), st.booleans()), max_size=2)
OTHERS = st.tuples(TASKS, st.sampled_from(WISHES))


class Meddled(Protocol):
    """A store in which something happens before each access, and after some appends."""

    before: deque[Callable[[], None]]
    losing: int  #: this append from now on is carried out and gets no answer; -1 = none
    locked: set[TaskId]


def meddled(base: type[Any]) -> type[Any]:
    """Make a store of a kind to which all this can happen."""

    class MeddledStore(base):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.before: deque[Callable[[], None]] = deque()
            self.losing = -1
            self.locked: set[TaskId] = set()

        def append_many(self, appends: Sequence[Append], *, ensure: Iterable[RecordedEvent] = ()) -> set[TaskId]:
            self._meddle()
            ensure = list(ensure)
            if self.locked & {append.task_id for append in appends}:
                raise StoreBusy("canceling statement due to lock timeout")
            refused: set[TaskId] = super().append_many(appends, ensure=ensure)
            self.losing -= 1
            if self.losing == -1:
                raise StoreUnavailable("the answer was lost")
            return refused

        def load_many(self, after: Mapping[TaskId, int]) -> dict[TaskId, list[RecordedEvent]]:
            self._meddle()
            found: dict[TaskId, list[RecordedEvent]] = super().load_many(after)
            return found

        def _meddle(self) -> None:
            if self.before:
                self.before.popleft()()

    return MeddledStore


class JournalMachine(RuleBasedStateMachine):
    """Rules are what happens; the invariants are what the journal promises."""

    def __init__(self, behind: FakeEventStore | EventStore, meddled_store: Any) -> None:
        super().__init__()
        self.behind = behind  #: the same streams, seen by others
        self.store: Any = meddled_store
        self.journal = Journal(self.store, OURS, ticking())
        self.wanted = [command() for _ in range(2)]
        behind.append_many([], ensure=[first_event(one) for one in self.wanted])
        self.waiting: list[Request] = []
        self.leases: list[Lease] = []
        self.given: list[tuple[TaskId, int]] = []  #: task and fence of every lease handed out
        self.messages = 0

    def state(self, task: int) -> TaskState:
        return self.behind.state(self.wanted[task].id)

    @rule(task=TASKS)
    def begin(self, task: int) -> None:
        """We get the task, if it is to be had; if it is ours, we were taken for dead, and then have two attempts."""
        if _runs_here(self.state(task)):
            self.somebody_decides((task, "expire"))
        self.somebody_decides((task, "release"))
        self.batch([], [(task, False, False, False)])

    @rule(said=SAID, claims=CLAIMS)
    def batch(self, said: list[tuple[int, str]], claims: list[tuple[int, bool, bool, bool]]) -> None:
        """Undisturbed: then nothing that may be recorded is refused."""
        self._gather(said, claims)
        current = [self._is_current(one) for one in self.waiting]
        for request, answer, valid in zip(self.waiting, self._written(), current, strict=True):
            if valid:
                assert isinstance(answer, Recorded), (request, answer)

    @rule(
        said=SAID,
        claims=CLAIMS,
        others=st.lists(st.none() | OTHERS, min_size=1, max_size=6),
        losing=st.integers(-1, 3),
        locked=TASKS,
    )
    def batch_in_trouble(
        self,
        said: list[tuple[int, str]],
        claims: list[tuple[int, bool, bool, bool]],
        others: list[tuple[int, str] | None],
        losing: int,
        locked: int,
    ) -> None:
        """Others come between any two steps, an answer gets lost, or a stream is locked."""
        self._gather(said, claims)
        self.store.before.extend(lambda other=other: other and self.somebody_decides(other) for other in others)
        self.store.losing = losing
        if losing == -1:
            self.store.locked = {self.wanted[locked].id}
        self._written()
        self.store.before.clear()
        self.store.losing, self.store.locked = -1, set()

    @precondition(lambda self: self.leases)
    @rule(which=ANY, heard=st.booleans())
    def child_appends(self, which: int, heard: bool) -> None:
        """The attempt's child writes by itself, and the worker hears of it, or not yet."""
        lease = self._lease(which)
        state = self.behind.state(lease.task_id)
        if (state.phase, state.fence) == (Phase.RUNNING, lease.fence):
            saved = CheckpointSaved(fence=lease.fence, data={"at": state.version})
            self.behind.append(Append(lease.task_id, state.version, [saved], AT))
            if heard:
                lease.follow(state.version + 1)

    @rule(other=OTHERS)
    def somebody_decides(self, other: tuple[int, str]) -> None:
        task, wish = other
        state = self.state(task)
        try:
            events = decide(state, intentions(state)[wish])
        except Refusal:
            return
        self.behind.append_many([Append(self.wanted[task].id, state.version, events, AT)])

    def _gather(self, said: list[tuple[int, str]], claims: list[tuple[int, bool, bool, bool]]) -> None:
        for which, what in said if self.leases else []:
            self._say(self._lease(which), what)
        for task, again, redelivered, held in claims:
            self._claim(task, again, redelivered, held)

    def _say(self, lease: Lease, what: str) -> None:
        if what in REPORTS:
            self.waiting.append(RecordRequest(lease, REPORTS[what](lease.fence)))
        elif what == "survive":
            self.waiting.append(RecordRequest(lease, Survive(fence=lease.fence)))
        elif not lease.over and not any(_ends(one, lease) for one in self.waiting):  # an attempt has one end
            how = {"policy": POLICY, "chance": 0.5, "loses_message": not lease.held}
            end = RecordOutcome(fence=lease.fence, outcome=OUTCOMES[what], at=AT, **how)  # type: ignore[arg-type]
            self.waiting.append(RecordRequest(lease, end))

    def _claim(self, task: int, again: bool, redelivered: bool, held: bool) -> None:
        """A message comes: a new one, or the one that the present attempt began with."""
        state = self.state(task)
        self.messages += not again
        message = state.delivery_id if again and state.delivery_id else f"m{self.messages}"
        release = state.version if state.phase is Phase.WAITING else None
        more = {"redelivered": redelivered, "held": held, "release": release, "alone": True}
        self.waiting.append(claim_request(self.wanted[task], message, **more))  # type: ignore[arg-type]

    def _written(self) -> list[Answer | Exception]:
        """Write as a worker does: all of it again while the database is away, and later what was locked."""
        while True:
            try:
                answers = self.journal.write(self.waiting)
                break
            except StoreUnavailable:
                continue
        for request, answer in zip(self.waiting, answers, strict=True):
            self._check(request, answer)
        self.waiting = [
            request for request, answer in zip(self.waiting, answers, strict=True) if isinstance(answer, StoreBusy)
        ]
        return answers

    def _check(self, request: Request, answer: Answer | Exception) -> None:
        if isinstance(request, ClaimRequest):
            assert isinstance(answer, Lease | Refused | LastChance | StoreBusy), answer
            if isinstance(answer, Lease):
                self.leases.append(answer)
                self.given.append((answer.task_id, answer.fence))
            return
        assert isinstance(answer, Recorded | LeaseLost | StoreBusy), answer
        if isinstance(answer, Recorded):
            stream = self.behind.load(request.lease.task_id)
            assert answer.news
            assert [stream[event.version] for event in answer.news] == list(map(as_stored, answer.news))
            assert getattr(answer.news[0].body, "fence", request.lease.fence) == request.lease.fence

    def _is_current(self, request: Request) -> bool:
        """Whether an outcome stands to be recorded by the right lease."""
        if not isinstance(request, RecordRequest) or not isinstance(request.intention, RecordOutcome):
            return False
        state = self.behind.state(request.lease.task_id)
        return (state.phase, state.fence) == (Phase.RUNNING, request.lease.fence)

    def _lease(self, which: int) -> Lease:
        """Mostly one of the newest two: the others have nothing more to say than the older of these."""
        newest = self.leases if which > 90 else self.leases[-2:]
        return newest[which % len(newest)]

    @invariant()
    def what_is_said_under_a_fence_follows_under_that_fence(self) -> None:
        for wanted in self.wanted:
            state: TaskState | None = None
            for event in self.behind.load(wanted.id):
                if state is not None:
                    assert _may_follow(event.body, state), (event, state)
                state = evolve(state, event.body, event.version)
            assert state is not None
            assert state.phase is not Phase.WAITING or state.cancel_requested_by is None

    @invariant()
    def what_runs_here_is_in_one_hand(self) -> None:
        assert len(set(self.given)) == len(self.given)
        if not any(isinstance(one, ClaimRequest) for one in self.waiting):
            states = {wanted.id: self.behind.state(wanted.id) for wanted in self.wanted}
            here = {(task_id, state.fence) for task_id, state in states.items() if _runs_here(state)}
            assert here <= set(self.given)

    def teardown(self) -> None:
        self.batch([], [])
        assert self.waiting == []
        self.what_runs_here_is_in_one_hand()


def _ends(request: Request, lease: Lease) -> bool:
    ends = isinstance(request, RecordRequest) and isinstance(request.intention, RecordOutcome)
    return ends and isinstance(request, RecordRequest) and request.lease is lease


def _runs_here(state: TaskState) -> bool:
    return state.phase is Phase.RUNNING and state.worker == OURS


def _may_follow(event: Event, state: TaskState) -> bool:
    if state.phase.finished:
        return isinstance(event, TaskAmended | TaskReplayed)
    if isinstance(event, AttemptStarted):
        return state.phase is not Phase.RUNNING and event.fence == state.fence + 1
    if isinstance(event, AttemptSurvived):
        return event.fence <= state.fence
    fence = getattr(event, "fence", None)
    return fence is None or (state.phase, state.fence) == (Phase.RUNNING, fence)
