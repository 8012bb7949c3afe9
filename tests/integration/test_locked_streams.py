"""Somebody else's transaction has the next place of a stream: whoever writes others does not wait for it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver

import pytest
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.definitions import Registry
from batchtask.errors import StoreBusy
from batchtask.events import AttemptStarted, Event, HeartbeatRecorded
from batchtask.identifiers import TaskId
from batchtask.intentions import RecordOutcome, Report
from batchtask.outcomes import Succeeded
from batchtask.settings import Settings
from batchtask.store import Append, EventStore, first_event, insert_events
from projections.rows import State
from tests.children import until
from tests.desks import BEGAN, Desks, claim_request, command, kinds
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import System
from worker.lease import Lease
from worker.records import Recorded, RecordRequest
from worker.service import Worker


@pytest.fixture
def impatient(engine: Engine) -> Iterator[EventStore]:
    own = make_engine(engine.url.render_as_string(hide_password=False), lock_seconds=0.1)
    yield EventStore(own)
    own.dispose()


@contextmanager
def locked(engine: Engine, task_id: TaskId, version: int, event: Event) -> Iterator[None]:
    """As a process that is frozen between an append and its commit, for as long as the block takes; rolled back."""
    url = engine.url.render_as_string(hide_password=False)
    with make_engine(url, pool_size=0, idle_seconds=None).connect() as connection:
        assert insert_events(connection, [Append(task_id, version, [event], BEGAN)])
        yield


def beat(lease: Lease) -> RecordRequest:
    return RecordRequest(lease, Report(fence=lease.fence, event=HeartbeatRecorded(fence=lease.fence)))


def end(lease: Lease) -> RecordRequest:
    return RecordRequest(lease, RecordOutcome(fence=lease.fence, outcome=Succeeded(), at=BEGAN))


def test_claims_and_records_beside_a_locked_stream_are_carried_out(
    engine: Engine, store: EventStore, impatient: EventStore
) -> None:
    desks = Desks(impatient)
    beaten, ended, stuck = (desks.lease(command()) for _ in range(3))
    new, begun = command(), command()
    store.append_many([], ensure=[first_event(begun)])
    started = AttemptStarted(attempt=1, fence=1, worker="another", delivery_id="m2")
    requests = [
        claim_request(begun),
        beat(beaten),
        beat(stuck),
        end(stuck),
        claim_request(new),
        end(ended),
    ]

    with (
        locked(engine, stuck.task_id, 1, HeartbeatRecorded(fence=1)),
        locked(engine, begun.id, 0, started),
    ):
        answers = desks.journal.write(requests)

    told = [type(answer) for answer in answers]
    assert told == [StoreBusy, Recorded, StoreBusy, StoreBusy, Lease, Recorded]
    again = desks.journal.write([requests[0], requests[2], requests[3]])
    assert [type(answer) for answer in again] == [Lease, Recorded, Recorded]
    assert kinds(store.load(stuck.task_id))[1:] == ["AttemptStarted", "HeartbeatRecorded", "TaskSucceeded"]
    assert kinds(store.load(begun.id)) == ["TaskSubmitted", "AttemptStarted"]
    assert kinds(store.load(ended.task_id))[1:] == ["AttemptStarted", "TaskSucceeded"]


def test_a_claim_that_was_committed_before_its_batch_met_a_lock_is_granted_once(
    engine: Engine, store: EventStore, impatient: EventStore
) -> None:
    desks = Desks(impatient)
    new, tried = command(), command()
    Desks(store, "dead").lease(tried)
    requests = [claim_request(new), claim_request(tried, redelivered=True)]

    with locked(engine, tried.id, 1, HeartbeatRecorded(fence=1)):
        granted, busy = desks.journal.write(requests)

    assert isinstance(granted, Lease)
    assert isinstance(busy, StoreBusy)
    assert kinds(store.load(new.id)) == ["TaskSubmitted", "AttemptStarted"]
    [lease] = desks.journal.write(requests[1:])
    assert isinstance(lease, Lease)
    assert lease.fence == 2


@pytest.fixture
def fork_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fork server that finds the test tasks, and ends with the test."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("fork_server")
def test_a_worker_runs_its_other_tasks_while_one_is_locked_and_that_one_afterwards(
    system: System, database_url: str
) -> None:
    settings = Settings(
        amqp_url=system.amqp_url, database_url=database_url, max_tasks=4, task_timeout=600, drain_seconds=5
    )
    worker = Worker(settings, Registry.installed())
    system.projections()

    async def work() -> list[TaskId]:
        [first] = system.submit_many_traced("append", 1)
        await until(lambda: first in system.states())
        started = AttemptStarted(attempt=1, fence=1, worker="another", delivery_id="m2")
        with locked(system.engine, first, 0, started):
            await worker.start()
            others = system.submit_many_traced("append", 20)
            await until(lambda: [system.states().get(one) for one in others] == [State.Succeeded] * 20)
            assert system.states()[first] == State.New
        await until(lambda: system.states()[first] == State.Succeeded)
        return [first, *others]

    async def work_and_stop() -> list[TaskId]:
        try:
            return await work()
        finally:
            await worker.drain()
            await worker.stop()

    ids = asyncio.run(work_and_stop())

    assert_all_succeeded(system, ids)
    assert_each_ran_once(system, ids)
