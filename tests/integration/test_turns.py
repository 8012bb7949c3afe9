"""Runs of one definition that keep a distance: never two at once, whichever workers are given the messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from batchtask.events import AttemptStarted, TaskDeferred
from batchtask.identifiers import new_task_id
from batchtask.intentions import Expire
from batchtask.messages import SubmitTask
from batchtask.outcomes import Failed, Lost, Succeeded
from batchtask.retrying import RetryPolicy
from batchtask.store import EventStore
from batchtask.tables import event, turn
from batchtask.task_state import Phase
from tests.desks import BEGAN, Desks, claim_request, command, kinds, somebody_decides
from worker.journal import Answer, Journal
from worker.lease import Lease, Refused
from worker.turns import LONGEST_LOOK_SECONDS, SHORTEST_LOOK_SECONDS, Distance

NEVER_OVERLAP = Distance(0.001, 0)


class Clock:
    """Stands still, but for what a test lets pass."""

    def __init__(self) -> None:
        self.at = BEGAN

    def __call__(self) -> datetime:
        return self.at

    def pass_seconds(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Office(Desks):
    """The desks of a worker whose clock the test sets, for one definition."""

    def __init__(self, store: EventStore, name: str, distance: Distance) -> None:
        super().__init__(store)
        self.clock = Clock()
        self.journal = Journal(store, "host/1", self.clock)
        self._name, self._distance = name, distance

    def command(self) -> SubmitTask:
        return command(name=self._name)

    def claims(self, wanted: SubmitTask) -> Lease | Refused:
        """Claim with a message that ends whatever wait there is."""
        events = self.store.load(wanted.id)
        release = events[-1].version if events else None
        return self.claim(wanted, f"m{release}", turn=self._distance, release=release)

    def granted(self, wanted: SubmitTask) -> Lease:
        answer = self.claims(wanted)
        assert isinstance(answer, Lease)
        return answer

    def deferred(self, wanted: SubmitTask) -> float:
        """Claim in vain, and return for how many seconds the task waits."""
        answer = self.claims(wanted)
        assert isinstance(answer, Refused)
        body = answer.news[-1].body
        assert isinstance(body, TaskDeferred)
        assert body.reason == "Waiting for its turn"
        return (body.due_at - self.clock.at).total_seconds()

    def finish(self, lease: Lease) -> None:
        assert self.record(lease, Succeeded()).finished


@pytest.fixture
def name() -> Iterator[str]:
    """A definition that no other test uses."""
    yield f"turn-{new_task_id()}"


def test_while_one_runs_the_next_one_looks_again_after_a_share_of_its_time(store: EventStore, name: str) -> None:
    office = Office(store, name, NEVER_OVERLAP)
    first, second = office.command(), office.command()
    lease = office.granted(first)

    pauses = []
    for seconds in (0, 100, 900, 1_000_000):
        office.clock.pass_seconds(seconds)
        pauses.append(office.deferred(second))
    assert pauses == [SHORTEST_LOOK_SECONDS, 10, 100, LONGEST_LOOK_SECONDS]

    office.finish(lease)
    assert office.granted(second).attempt == 1


def test_the_next_run_begins_an_interval_after_the_last_start(store: EventStore, name: str) -> None:
    office = Office(store, name, Distance(start_to_start_seconds=60, end_to_start_seconds=0))
    first, second = office.command(), office.command()
    lease = office.granted(first)
    office.clock.pass_seconds(20)
    office.finish(lease)

    assert office.deferred(second) == 40
    office.clock.pass_seconds(40)
    assert office.granted(second)


def test_the_next_run_begins_a_pause_after_the_last_end(store: EventStore, name: str) -> None:
    office = Office(store, name, Distance(start_to_start_seconds=60, end_to_start_seconds=50))
    first, second = office.command(), office.command()
    lease = office.granted(first)
    office.clock.pass_seconds(20)
    office.finish(lease)

    assert office.deferred(second) == 50


def test_a_retry_keeps_its_distance_from_the_attempt_before(store: EventStore, name: str) -> None:
    office = Office(store, name, Distance(start_to_start_seconds=60, end_to_start_seconds=0))
    wanted = office.command()
    lease = office.granted(wanted)
    office.record(lease, Failed(message="no", retry=True), policy=RetryPolicy(attempts=2))
    office.clock.pass_seconds(10)

    assert office.deferred(wanted) == 50
    office.clock.pass_seconds(50)
    assert office.granted(wanted).attempt == 2


def test_other_definitions_have_turns_of_their_own(store: EventStore, name: str) -> None:
    office, other = (Office(store, one, NEVER_OVERLAP) for one in (name, f"{name}-other"))
    office.granted(office.command())
    assert other.granted(other.command())


@pytest.mark.parametrize("end", ["expired", "lost"])
def test_a_turn_is_not_held_by_an_attempt_that_is_gone(end: str, store: EventStore, name: str) -> None:
    office = Office(store, name, NEVER_OVERLAP)
    first, second = office.command(), office.command()
    lease = office.granted(first)
    office.clock.pass_seconds(1)
    if end == "expired":
        somebody_decides(store, first.id, Expire(fence=lease.fence, at=office.clock.at, detail="silent"))
    else:
        office.record(lease, Lost())

    assert office.granted(second)
    assert office.deferred(first) == SHORTEST_LOOK_SECONDS


def test_whoever_takes_a_dead_attempt_over_records_its_loss_and_waits_for_its_turn(
    store: EventStore, name: str
) -> None:
    office = Office(store, name, Distance(start_to_start_seconds=60, end_to_start_seconds=0))
    wanted = office.command()
    turn_ = Distance(60, 0)
    Desks(store, "dead").lease(wanted, "m1", turn=turn_)

    refused = office.claim(wanted, "m1", redelivered=True, turn=turn_)

    assert isinstance(refused, Refused)
    assert kinds(refused.news)[-2:] == ["AttemptLost", "TaskDeferred"]
    assert store.state(wanted.id).phase is Phase.WAITING


def test_a_turn_of_a_task_whose_stream_is_gone_holds_nobody_off(store: EventStore, engine: Engine, name: str) -> None:
    """The database was set back to an older backup, but for the turns."""
    office = Office(store, name, NEVER_OVERLAP)
    first = office.command()
    office.granted(first)
    with engine.begin() as connection:
        connection.execute(event.delete().where(event.c.task_id == first.task_id))

    assert office.granted(office.command())
    with engine.connect() as connection:
        assert connection.execute(turn.select().where(turn.c.name == name)).one().fence == 1


def test_of_many_claims_at_once_exactly_one_gets_the_turn(store: EventStore, name: str) -> None:
    wanted = [command(name=name) for _ in range(12)]
    answers: list[Answer | Exception] = []
    barrier = threading.Barrier(3, timeout=20)

    def claim(worker: int) -> None:
        requests = [claim_request(one, f"m{worker}", turn=NEVER_OVERLAP) for one in wanted[worker::3]]
        barrier.wait()
        answers.extend(Desks(store, f"w{worker}").journal.write(requests))

    threads = [threading.Thread(target=claim, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(type(answer).__name__ for answer in answers) == ["Lease", *["Refused"] * 11]
    started = [one for one in wanted if isinstance(store.load(one.id)[-1].body, AttemptStarted)]
    assert len(started) == 1
