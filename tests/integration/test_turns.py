"""Runs of some definitions never overlap and keep a distance, whichever worker claims and whoever dies."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from typing import Any

import pytest
from sqlalchemy import Engine

from batchtask import turns
from batchtask.definition_rows import save_definitions
from batchtask.definitions import TaskDefinition
from batchtask.envelope import decode_command
from batchtask.errors import StoreUnavailable
from batchtask.events import (
    CancelRequested,
    CheckpointSaved,
    Event,
    HeartbeatRecorded,
    ProgressReported,
    TaskDeferred,
)
from batchtask.identifiers import TaskId
from batchtask.intentions import RecordOutcome, RequestCancel
from batchtask.messages import SubmitTask
from batchtask.outcomes import Outcome, Passed, Succeeded
from batchtask.publishing import Message
from batchtask.store import Append, EventStore, first_event
from projections.grants import Grants
from projections.projector import Projector
from projections.releases import Releases
from tests.desks import claim_request, command, kinds, somebody_decides
from worker.claims import ClaimRequest
from worker.journal import Journal
from worker.lease import Lease, Refused
from worker.records import RecordRequest
from worker.turns import LOOK_AGAIN_SECONDS, Distance

NUMBERS = count(1)
SECOND = timedelta(seconds=1)
LOOK_AGAIN = timedelta(seconds=LOOK_AGAIN_SECONDS)
FIRST, SECOND_WORKER = "host/1", "host/2"


class Office:
    """One definition whose runs never overlap, its workers and the scheduler; the workers' clock is set by hand."""

    def __init__(self, engine: Engine, *, start_interval: int = 0, minimum_sleep: int = 0) -> None:
        self.engine = engine
        self.store = EventStore(engine)
        self.now = datetime.now(UTC) - timedelta(days=1)
        self.name = f"turns-{next(NUMBERS)}"
        self.distance = Distance(start_interval, minimum_sleep)
        definition = TaskDefinition(
            name=self.name,
            function=lambda _: None,
            start_interval_seconds=start_interval,
            minimum_sleep_seconds=minimum_sleep,
        )
        save_definitions(engine, [definition])

    def task(self) -> SubmitTask:
        return command(name=self.name)

    def journal(self, worker: str) -> Journal:
        return Journal(self.store, worker, lambda: self.now)

    def request(self, wanted: SubmitTask, message_id: str = "m1", **changes: Any) -> ClaimRequest:
        return replace(claim_request(wanted, message_id), turn=self.distance, **changes)

    def claim(self, wanted: SubmitTask, worker: str = FIRST, **changes: Any) -> Lease | Refused:
        [answer] = self.journal(worker).write([self.request(wanted, **changes)])
        assert isinstance(answer, Lease | Refused), answer
        return answer

    def start(self, wanted: SubmitTask, worker: str = FIRST, **changes: Any) -> Lease:
        lease = self.claim(wanted, worker, **changes)
        assert isinstance(lease, Lease), lease
        return lease

    def end(self, lease: Lease, outcome: Outcome | None = None) -> None:
        intention = RecordOutcome(
            fence=lease.fence, outcome=outcome or Succeeded(), at=self.now, pause_until=self.now
        )
        self.journal(FIRST).write([RecordRequest(lease, intention)])

    def deferred_until(self, wanted: SubmitTask) -> datetime:
        """Until when a claim that was refused has put a task off."""
        event = self.store.load(wanted.id)[-1].body
        assert isinstance(event, TaskDeferred)
        assert event.reason == "Waiting for its turn"
        return event.due_at

    def release(self) -> dict[TaskId, int | None]:
        """Project everything, let a scheduler do what is due, and return what it published: releases by task."""
        for page in self.store.streams():
            Projector(self.engine).project(chain.from_iterable(page.values()))
        published: list[Message] = []

        def publish(messages: Sequence[Message]) -> Sequence[int]:
            published.extend(messages)
            return ()

        Releases(self.engine, Projector(self.engine), publish).release_due(Grants(self.engine).grant_due())
        commands = [decode_command(message.body) for message in published]
        return {one.command.id: one.release for one in commands if getattr(one.command, "name", "") == self.name}


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine, minimum_sleep=10)


def test_a_second_task_waits_while_the_first_one_runs(office: Office) -> None:
    first, second = office.task(), office.task()
    office.start(first)

    assert isinstance(office.claim(second, SECOND_WORKER), Refused)

    assert office.deferred_until(second) == office.now + LOOK_AGAIN
    assert kinds(office.store.load(second.id)) == ["TaskSubmitted", "TaskDeferred"]


@pytest.mark.parametrize(
    ("start_interval", "minimum_sleep", "runs_seconds", "waits_seconds"),
    [(60, 0, 10, 60), (60, 0, 90, 91), (0, 10, 90, 100), (60, 10, 10, 60), (60, 10, 55, 65)],
)
def test_a_task_that_comes_after_the_run_waits_until_the_distance_is_kept(
    start_interval: int, minimum_sleep: int, runs_seconds: int, waits_seconds: int, engine: Engine
) -> None:
    office = Office(engine, start_interval=start_interval, minimum_sleep=minimum_sleep)
    began = office.now
    lease = office.start(office.task())
    office.now += runs_seconds * SECOND
    office.end(lease)
    free_at = began + waits_seconds * SECOND

    if free_at > office.now + SECOND:
        early = office.task()
        office.now = free_at - SECOND
        assert isinstance(office.claim(early), Refused)
        assert office.deferred_until(early) == free_at
    office.now = free_at
    office.start(office.task())


REPORTS: list[Event] = [
    HeartbeatRecorded(fence=1),
    ProgressReported(fence=1, percent=50),
    CheckpointSaved(fence=1, data={"place": 1}),
    CancelRequested(requested_by=1),
]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_what_a_run_reports_does_not_end_its_turn(report: Event, office: Office) -> None:
    lease = office.start(office.task())
    office.store.append(Append(lease.task_id, lease.version, [report], office.now))
    office.now += 100 * SECOND

    assert isinstance(office.claim(office.task(), SECOND_WORKER), Refused)


def test_of_many_claims_at_once_one_gets_the_turn(office: Office) -> None:
    tasks = [office.task() for _ in range(12)]
    barrier = threading.Barrier(4, timeout=20)
    answers: list[Lease | Refused] = []

    def claim(worker: int) -> None:
        journal = office.journal(f"host/{worker}")
        barrier.wait()
        for wanted in tasks[worker::4]:
            [answer] = journal.write([office.request(wanted)])
            assert isinstance(answer, Lease | Refused)
            answers.append(answer)

    threads = [threading.Thread(target=claim, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == len(tasks)
    assert sum(isinstance(answer, Lease) for answer in answers) == 1


def test_the_task_of_a_killed_worker_takes_its_own_turn_again(engine: Engine) -> None:
    office = Office(engine, start_interval=60)
    wanted = office.task()
    office.start(wanted)
    office.now += 70 * SECOND

    lease = office.start(wanted, SECOND_WORKER, redelivered=True)

    assert (lease.attempt, lease.fence) == (2, 2)
    assert kinds(office.store.load(wanted.id))[1:] == ["AttemptStarted", "AttemptLost", "AttemptStarted"]


def test_the_task_of_a_killed_worker_keeps_its_distance_too(office: Office) -> None:
    wanted = office.task()
    office.start(wanted)
    office.now += 5 * SECOND

    assert isinstance(office.claim(wanted, SECOND_WORKER, redelivered=True), Refused)

    assert kinds(office.store.load(wanted.id))[2:] == ["AttemptLost", "TaskDeferred"]
    assert office.deferred_until(wanted) == office.now + 10 * SECOND


def test_a_claim_whose_answer_was_lost_has_its_turn(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL restarted between the commit and the answer."""
    journal, request = office.journal(FIRST), office.request(office.task())
    take = turns.take

    def take_and_commit_and_lose(connection: Any, *details: Any) -> None:
        take(connection, *details)
        connection.commit()
        raise StoreUnavailable("the answer was lost")

    with monkeypatch.context() as patched, pytest.raises(StoreUnavailable):
        patched.setattr(turns, "take", take_and_commit_and_lose)
        journal.write([request])

    [lease] = journal.write([request])

    assert isinstance(lease, Lease)
    assert lease.fence == 1
    assert kinds(office.store.load(request.command.id)) == ["TaskSubmitted", "AttemptStarted"]


def test_a_claim_that_is_rolled_back_takes_no_turn(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(*_: Any) -> None:
        raise StoreUnavailable("the connection broke")

    with monkeypatch.context() as patched, pytest.raises(StoreUnavailable):
        patched.setattr(turns, "take", lose)
        office.claim(office.task())

    office.start(office.task())


def test_a_cancelled_task_takes_no_turn(office: Office) -> None:
    first, wanted = office.task(), office.task()
    lease = office.start(first)
    office.claim(wanted)
    somebody_decides(office.store, wanted.id, RequestCancel(requested_by=1, reason=""))
    office.end(lease)
    office.now += 10 * SECOND

    office.start(office.task())


def test_the_scheduler_releases_one_task_at_a_time_the_longest_waiting_first(office: Office) -> None:
    running = office.start(office.task())
    waiting = [office.task() for _ in range(3)]
    for wanted in waiting:
        office.claim(wanted)
        office.now += SECOND
    assert office.release() == {}  # while one runs, all others wait, without an event

    office.end(running)
    office.now += 10 * SECOND
    assert office.release() == {waiting[0].id: 1}
    assert office.release() == {}  # it is queued, nobody has claimed it

    lease = office.start(waiting[0], release=1)
    assert office.release() == {}
    office.end(lease)
    assert office.release() == {waiting[1].id: 1}
    assert [len(office.store.load(wanted.id)) for wanted in waiting] == [5, 3, 2]


def test_the_next_task_is_not_overtaken_by_one_that_comes_in_between(office: Office) -> None:
    lease = office.start(office.task())
    waiting, late = office.task(), office.task()
    office.claim(waiting)
    office.end(lease)
    office.now += 10 * SECOND
    office.release()

    assert isinstance(office.claim(late), Refused)
    office.start(waiting, release=1)


def test_the_turn_goes_on_to_another_when_the_next_task_is_cancelled(office: Office) -> None:
    lease = office.start(office.task())
    cancelled, waiting = office.task(), office.task()
    office.claim(cancelled)
    office.now += SECOND
    office.claim(waiting)
    office.end(lease)
    assert office.release() == {cancelled.id: 1}

    somebody_decides(office.store, cancelled.id, RequestCancel(requested_by=1, reason=""))

    assert office.release() == {waiting.id: 1}


def test_a_scheduler_that_dies_after_it_named_the_next_task_leaves_the_release_to_another(office: Office) -> None:
    lease = office.start(office.task())
    waiting = office.task()
    office.claim(waiting)
    office.end(lease)
    Projector(office.engine).project(office.store.load(waiting.id))
    Grants(office.engine).grant_due()

    assert office.release() == {waiting.id: 1}


def test_the_scheduler_keeps_the_distance(engine: Engine) -> None:
    office = Office(engine, minimum_sleep=3600)
    office.now = datetime.now(UTC)
    lease = office.start(office.task())
    waiting = office.task()
    office.claim(waiting)
    Projector(engine).project(office.store.append(Append(waiting.id, 1, [_due(office.now)], office.now)))
    office.end(lease)

    assert office.release() == {}


def _due(at: datetime) -> TaskDeferred:
    return TaskDeferred(due_at=at - SECOND, reason="Waiting for its turn")


def test_passes_of_two_tasks_take_turns(office: Office) -> None:
    first, second = office.task(), office.task()
    lease = office.start(first)
    office.claim(second)
    for wanted, other in [(first, second), (second, first), (first, second)]:
        office.now += 2 * SECOND
        office.end(lease, Passed())
        office.now += 10 * SECOND
        released = office.release()
        assert set(released) == {other.id}, wanted
        lease = office.start(other, release=released[other.id])


def test_tasks_without_a_distance_are_released_whatever_has_a_turn(office: Office) -> None:
    office.start(office.task())
    waiting = office.task()
    office.claim(waiting)
    free = command(name="noop", start_at=office.now)
    somebody = Releases(office.engine, Projector(office.engine), lambda _: ())
    Projector(office.engine).project([], submitted=[first_event(free)])

    somebody.release_due(Grants(office.engine).grant_due())

    assert kinds(office.store.load(free.id)) == ["TaskSubmitted", "TaskReleased"]
