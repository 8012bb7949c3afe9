"""Whatever came apart is put right, and what is right is left alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, insert, select, update

from batchtask.database import make_engine
from batchtask.errors import LeaseLost
from batchtask.events import (
    AttemptLost,
    AttemptStarted,
    Event,
    HeartbeatRecorded,
    RetryScheduled,
    TaskDeferred,
    TaskFailed,
)
from batchtask.identifiers import TaskId, new_task_id
from batchtask.intentions import Defer, Reject, Replay, Report, RequestCancel
from batchtask.outcomes import Cause, Lost, Succeeded
from batchtask.pausing import Pausing
from batchtask.store import Append, EventStore, first_event
from batchtask.tables import batchtask, outbox
from batchtask.tables import event as event_table
from batchtask.task_state import Phase
from projections import drift, passes
from projections.passes import BackgroundPass, FullPass, Reconciled
from projections.projector import Projector
from projections.reconcile import Fault, Reconciler, Repair
from projections.rows import fold_row
from tests.desks import BEGAN, Desks, claim_request, command, somebody_decides
from tests.histories import chosen
from worker.lease import Lease

#: Short, because the ages of events are the database's to tell: they cannot be older than it has been up.
LEASE_SECONDS = 0.5
GRACE_SECONDS = 0.2


@pytest.fixture(scope="module")
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    with databases() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "WATCH_SECONDS", 0.0)
    monkeypatch.setattr(passes, "PUBLISH_MARGIN_SECONDS", GRACE_SECONDS)


class Bench:
    """Tasks as workers and projections leave them, and the reconciler that looks at them afterwards."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = EventStore(engine)
        self.projector = Projector(engine)
        self.background = BackgroundPass(
            engine, Reconciler(engine, now), heartbeat_seconds=LEASE_SECONDS / 2, grace_seconds=GRACE_SECONDS
        )

    def queued(self, **fields: object) -> TaskId:
        """A task that was submitted and seen by the projections."""
        task_id = new_task_id()
        self.projector.project([], submitted=[first_event(command(task_id, **fields))])
        return task_id

    def running(self, *, held: bool = False, lease_seconds: float = LEASE_SECONDS, lost_attempts: int = 3) -> Lease:
        wanted = command(self.queued())
        request = replace(claim_request(wanted), held=held, lease_seconds=lease_seconds, lost_attempts=lost_attempts)
        [lease] = Desks(self.store).journal.write([request])
        assert isinstance(lease, Lease)
        self.project(wanted.id)
        return lease

    def project(self, *task_ids: TaskId) -> None:
        for task_id in task_ids:
            self.projector.project(self.store.load(task_id))

    def let_time_pass(self, *task_ids: TaskId) -> None:
        """Make what was recorded of tasks an hour older."""
        older = event_table.c.recorded_at - timedelta(hours=1)
        with self.engine.begin() as connection:
            connection.execute(
                update(event_table).where(event_table.c.task_id.in_(task_ids)).values(recorded_at=older)
            )

    def watch(self) -> list[Repair]:
        """Make as many background passes as it takes to be sure that a lease ran out."""
        first = self.background.run(None)
        time.sleep(LEASE_SECONDS / 2)
        return first + self.background.run(None)

    def full(self, *, ready: int | None = 0, dry_run: bool = False, publish_all: bool = False) -> Reconciled:
        reconciler = Reconciler(self.engine, now, dry_run=dry_run)
        full = FullPass(self.engine, reconciler, heartbeat_seconds=LEASE_SECONDS / 2, grace_seconds=GRACE_SECONDS)
        return full.run(lambda: ready, publish_all=publish_all)

    def kinds(self, task_id: TaskId) -> list[str]:
        return [type(event.body).__name__ for event in self.store.load(task_id)]

    def last(self, task_id: TaskId) -> Event:
        return self.store.load(task_id)[-1].body

    def row_is_true(self, task_id: TaskId) -> bool:
        expected = fold_row(None, self.store.load(task_id))
        assert expected is not None
        with self.engine.connect() as connection:
            query = batchtask.select().where(batchtask.c.task_id == task_id)
            row = connection.execute(query).mappings().one_or_none()
        return row is not None and (row["version"], row["state"]) == (expected.version, expected.state)


@pytest.fixture
def bench(engine: Engine) -> Bench:
    """An empty system: a pass looks at everything there is."""
    empty(engine)
    return Bench(engine)


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in (batchtask, event_table, outbox):
            connection.execute(delete(table))


def now() -> datetime:
    return datetime.now(UTC)


def repaired(found: Reconciled) -> set[tuple[TaskId, Fault]]:
    return {(TaskId(repair.task_id), repair.fault) for repair in found.repairs}


@pytest.mark.parametrize("held", [False, True], ids=["leased", "held"])
def test_an_attempt_that_is_silent_for_longer_than_its_lease_is_lost_and_tried_again(
    bench: Bench, held: bool
) -> None:
    lease = bench.running(held=held)
    bench.let_time_pass(lease.task_id)

    [repair] = bench.watch()

    assert (repair.task_id, repair.fault) == (lease.task_id, Fault.LEASE_EXPIRED)
    assert repair.events == ["AttemptLost", "RetryScheduled"]
    *_, lost, retry = (event.body for event in bench.store.load(lease.task_id))
    assert isinstance(lost, AttemptLost)
    assert lost.detail.startswith("nothing was heard of host/1 for ")
    assert isinstance(retry, RetryScheduled)
    assert abs(retry.due_at - now()) < timedelta(seconds=10)
    assert bench.row_is_true(lease.task_id)
    assert bench.watch() == []


def test_an_attempt_that_is_lost_once_too_often_fails(bench: Bench) -> None:
    lease = bench.running(lost_attempts=1)
    bench.let_time_pass(lease.task_id)

    bench.watch()

    end = bench.last(lease.task_id)
    assert isinstance(end, TaskFailed)
    assert end.cause is Cause.LOST_WORKER
    assert bench.row_is_true(lease.task_id)


def test_a_heartbeat_keeps_a_lease(bench: Bench) -> None:
    lease = bench.running(lease_seconds=3000)
    bench.let_time_pass(lease.task_id)
    Desks(bench.store).report(lease, Report(fence=lease.fence, event=HeartbeatRecorded(fence=lease.fence)))

    assert repaired(bench.full()) <= {(lease.task_id, Fault.ROW_BEHIND)}
    assert bench.store.state(lease.task_id).phase is Phase.RUNNING


def test_whoever_lives_can_still_renew_after_the_database_was_frozen(bench: Bench) -> None:
    """When it answers again, the reconciler may ask it before the workers do."""
    lease = bench.running()
    bench.let_time_pass(lease.task_id)
    assert bench.background.run(None) == []

    Desks(bench.store).report(lease, Report(fence=lease.fence, event=HeartbeatRecorded(fence=lease.fence)))
    bench.project(lease.task_id)

    time.sleep(LEASE_SECONDS / 2)
    assert bench.background.run(None) == []
    assert bench.store.state(lease.task_id).phase is Phase.RUNNING


def test_no_lease_runs_out_while_the_database_is_away(bench: Bench) -> None:
    """Nobody could renew it: for as long as it lasts after the database is back, the attempt may be alive."""
    with bench.engine.connect() as connection:
        up = func.extract("epoch", func.now() - func.pg_postmaster_start_time())
        up_seconds = float(connection.execute(select(up)).scalar_one())
    lease = bench.running(lease_seconds=up_seconds + 3000)
    for _ in range(int(up_seconds / 3600) + 2):
        bench.let_time_pass(lease.task_id)

    assert bench.full().repairs == []


def test_what_the_worker_records_after_its_lease_ran_out_is_refused(bench: Bench) -> None:
    lease = bench.running()
    bench.let_time_pass(lease.task_id)
    bench.watch()

    with pytest.raises(LeaseLost):
        Desks(bench.store).record(lease, Succeeded())


def test_a_queued_task_that_nobody_claims_though_the_queue_was_empty_is_queued_again(bench: Bench) -> None:
    task_id = bench.queued()
    bench.let_time_pass(task_id)

    assert bench.background.run(None) == []
    [repair] = bench.background.run(time.monotonic())

    assert (repair.task_id, repair.fault, repair.events) == (task_id, Fault.MESSAGE_GONE, ["TaskDeferred"])
    deferred = bench.last(task_id)
    assert isinstance(deferred, TaskDeferred)
    assert deferred.due_at <= now()
    assert bench.row_is_true(task_id)
    assert bench.background.run(time.monotonic()) == []


def test_a_queued_task_is_given_time_to_be_claimed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "WATCH_SECONDS", 60.0)
    task_id = bench.queued()
    bench.let_time_pass(task_id)

    assert bench.background.run(time.monotonic()) == []
    Desks(bench.store).lease(command(task_id))
    monkeypatch.setattr(passes, "WATCH_SECONDS", 0.0)

    assert bench.background.run(None) == []
    assert bench.store.state(task_id).phase is Phase.RUNNING


def test_during_a_pause_no_message_is_taken_for_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker had it in hand, so the queue was empty, and gave it back when it was told to pause."""
    task_id = bench.queued()
    bench.let_time_pass(task_id)
    monkeypatch.setattr(passes, "WATCH_SECONDS", 60.0)
    assert bench.background.run(time.monotonic()) == []
    monkeypatch.setattr(passes, "WATCH_SECONDS", 0.0)

    Pausing(bench.engine).pause("test")
    try:
        assert [bench.background.run(time.monotonic()) for _ in range(2)] == [[], []]
    finally:
        Pausing(bench.engine).resume()

    assert bench.kinds(task_id) == ["TaskSubmitted"]
    [repair] = bench.background.run(time.monotonic())
    assert (repair.task_id, repair.fault) == (task_id, Fault.MESSAGE_GONE)


def test_a_task_that_was_queued_after_the_queue_was_empty_is_not_suspected(bench: Bench) -> None:
    empty_at = time.monotonic()
    bench.queued()
    assert bench.background.run(empty_at) == []


def test_a_task_that_the_relay_has_yet_to_publish_is_not_suspected(bench: Bench) -> None:
    task_id = bench.queued()
    bench.let_time_pass(task_id)
    with bench.engine.begin() as connection:
        connection.execute(insert(outbox).values(task_id=task_id, routing_key="submit", body=b""))

    assert bench.background.run(time.monotonic()) == []
    assert bench.full().outbox == 1


def test_a_lost_message_of_a_task_that_somebody_wants_to_stop_ends_it(bench: Bench) -> None:
    lease = bench.running(held=True)
    somebody_decides(bench.store, lease.task_id, RequestCancel(requested_by=7, reason=""))
    Desks(bench.store).record(lease, Lost(detail="SIGKILL"))
    bench.project(lease.task_id)
    bench.let_time_pass(lease.task_id)

    bench.full()

    assert bench.kinds(lease.task_id)[-1] == "TaskCancelled"


def test_a_row_that_lacks_recent_events_is_projected(bench: Bench) -> None:
    """Whoever appended died before it could tell anybody."""
    finished, begun = bench.queued(), bench.queued()
    somebody_decides(bench.store, finished, Reject(message="no"))
    bench.project(finished)
    somebody_decides(bench.store, finished, Replay(requested_by=1, at=BEGAN))
    Desks(bench.store).lease(command(begun))
    rowless = new_task_id()
    bench.store.append_many([], ensure=[first_event(command(rowless))])
    time.sleep(GRACE_SECONDS)

    repairs = {(repair.task_id, repair.fault) for repair in bench.background.run(None)}

    assert repairs == {(task_id, Fault.ROW_BEHIND) for task_id in (finished, begun, rowless)}
    assert all(map(bench.row_is_true, (finished, begun, rowless)))


def test_an_open_row_is_projected_however_long_ago_it_fell_behind(bench: Bench) -> None:
    task_id = bench.queued()
    Desks(bench.store).lease(command(task_id))
    bench.let_time_pass(task_id)

    bench.background.run(None)

    assert bench.row_is_true(task_id)


def test_a_row_that_lacks_only_signs_of_life_is_made_newer_and_is_no_drift(bench: Bench) -> None:
    lease = bench.running(lease_seconds=7200)
    Desks(bench.store).report(lease, Report(fence=lease.fence, event=HeartbeatRecorded(fence=lease.fence)))
    bench.let_time_pass(lease.task_id)

    assert bench.background.run(None) == []
    assert bench.row_is_true(lease.task_id)


def test_a_full_pass_finds_old_streams_without_a_row_and_finished_rows_behind(bench: Bench) -> None:
    finished, rowless = bench.queued(), new_task_id()
    somebody_decides(bench.store, finished, Reject(message="no"))
    bench.project(finished)
    somebody_decides(bench.store, finished, Replay(requested_by=1, at=BEGAN))
    bench.store.append_many([], ensure=[first_event(command(rowless))])
    bench.let_time_pass(finished, rowless)
    assert bench.background.run(None) == []

    found = bench.full(ready=1)

    assert repaired(found) == {(finished, Fault.ROW_BEHIND), (rowless, Fault.ROW_BEHIND)}
    assert bench.row_is_true(finished)
    assert bench.row_is_true(rowless)


def test_a_full_pass_says_how_many_tasks_are_in_which_state(bench: Bench) -> None:
    lease, done = bench.running(lease_seconds=3000), bench.running()
    bench.queued()
    Desks(bench.store).record(done, Succeeded())
    waiting, failed, stopped = bench.queued(), bench.queued(), bench.queued()
    somebody_decides(bench.store, waiting, Defer(due_at=BEGAN, reason="not its turn"))
    somebody_decides(bench.store, failed, Reject(message="no"))
    somebody_decides(bench.store, stopped, RequestCancel(requested_by=7, reason=""))
    bench.project(done.task_id, waiting, failed, stopped)

    found = bench.full(ready=1)

    counts = (found.queued, found.waiting, found.running, found.finished, found.dead, found.overdue)
    assert counts == (1, 1, 1, 1, 2, 1)
    assert bench.store.state(lease.task_id).phase is Phase.RUNNING


def test_what_a_queue_with_messages_hides_is_counted_and_published_on_demand(bench: Bench) -> None:
    task_id = bench.queued()
    bench.let_time_pass(task_id)

    hidden = bench.full(ready=3)
    assert (hidden.unproved, hidden.repairs) == (1, [])
    unknown = bench.full(ready=None)
    assert (unknown.unproved, unknown.repairs) == (1, [])
    published = bench.full(ready=3, publish_all=True)

    assert repaired(published) == {(task_id, Fault.MESSAGE_GONE)}
    assert (published.unproved, published.waiting) == (0, 1)


def test_a_dry_run_tells_what_a_real_one_then_does(bench: Bench) -> None:
    lease, queued, rowless = bench.running(), bench.queued(), new_task_id()
    bench.store.append_many([], ensure=[first_event(command(rowless))])
    bench.let_time_pass(lease.task_id, queued, rowless)

    told = repaired(bench.full(dry_run=True))

    assert told == repaired(bench.full(dry_run=True))
    assert told == {
        (lease.task_id, Fault.LEASE_EXPIRED),
        (queued, Fault.MESSAGE_GONE),
        (rowless, Fault.ROW_BEHIND),
    }
    assert told <= repaired(bench.full())


def test_two_reconcilers_at_once_repair_a_task_once(bench: Bench) -> None:
    leases = [bench.running() for _ in range(20)]
    ids = [lease.task_id for lease in leases]
    bench.let_time_pass(*ids)

    with bench.engine.connect() as connection:  # both have looked before either of them writes
        quiet = drift.quiet_attempts(connection, quiet_seconds=LEASE_SECONDS, after=0)
    repairs = [repair for _ in range(2) for repair in Reconciler(bench.engine, now).expire(quiet)]

    assert sorted(repair.task_id for repair in repairs) == sorted(ids)
    assert Counter(kind for task_id in ids for kind in bench.kinds(task_id))["AttemptLost"] == len(ids)


def test_a_stream_that_this_release_cannot_read_stands_in_nobodys_way(bench: Bench) -> None:
    readable, newer = bench.queued(), bench.queued()
    bench.let_time_pass(readable, newer)
    with bench.engine.begin() as connection:
        values = event_table.insert().values(
            task_id=newer, version=1, type="FromTheFuture", schema_version=1, occurred_at=BEGAN, data={}
        )
        connection.execute(values)
    bench.let_time_pass(newer)

    assert repaired(bench.full()) == {(readable, Fault.MESSAGE_GONE)}


SHAPES = st.tuples(st.lists(st.integers(0, 30), max_size=14), st.floats(0, 1))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shapes=st.lists(SHAPES, min_size=1, max_size=8))
def test_whatever_happened_before_everything_went_silent_each_task_is_in_one_place_after_a_full_pass(
    shapes: list[tuple[list[int], float]], engine: Engine
) -> None:
    """No worker is left, no message is left, and the rows show any part of the streams, or nothing."""
    empty(engine)
    bench = Bench(engine)
    ids = [left_behind(bench, choices, seen) for choices, seen in shapes]
    bench.let_time_pass(*ids)

    found = bench.full(ready=0)

    assert all(map(bench.row_is_true, ids))
    phases = Counter(bench.store.state(task_id).phase for task_id in ids)
    assert (found.queued, found.running, found.waiting) == (0, 0, phases[Phase.WAITING])
    assert (found.finished, found.dead) == (
        phases[Phase.SUCCEEDED],
        phases[Phase.FAILED] + phases[Phase.CANCELLED],
    )
    assert found.waiting + found.finished + found.dead == len(ids)
    assert bench.full(ready=0).repairs == []


def left_behind(bench: Bench, choices: list[int], seen: float) -> TaskId:
    """A task with any history, of which the projections have seen a part."""
    task_id = new_task_id()
    history = [short_lease(one) for one in chosen(first_event(command(task_id)).body, choices)]
    bench.store.append(Append(task_id, -1, history, BEGAN))
    events = bench.store.load(task_id)
    bench.projector.project(events[: round(seen * len(events))])
    return task_id


def short_lease(event: Event) -> Event:
    return msgspec.structs.replace(event, lease_seconds=LEASE_SECONDS) if isinstance(event, AttemptStarted) else event
