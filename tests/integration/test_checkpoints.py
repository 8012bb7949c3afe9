"""Rows of a task, its checkpoint and its right to write are committed together, or nothing is."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, OperationalError

from batchtask.blocks import Block
from batchtask.errors import LeaseLost
from batchtask.events import (
    AttemptLost,
    CheckpointSaved,
    HeartbeatRecorded,
    ProgressReported,
    RecordedEvent,
    TaskSucceeded,
)
from batchtask.identifiers import TaskId
from batchtask.intentions import Report, RequestCancel
from batchtask.keeping import LARGEST_CHECKPOINT_BYTES
from batchtask.outcomes import Succeeded
from batchtask.store import Append, EventStore, insert_events
from batchtask.tables import event as event_table
from tests.desks import Desks, bodies, command, kinds, somebody_decides
from tests.polling import eventually
from worker.children import fencing
from worker.children.fencing import Fence
from worker.children.saving import Saving
from worker.lease import Lease


@pytest.fixture(scope="module", autouse=True)
def table(engine: Engine) -> None:
    """Where a task puts its rows."""
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE made (task_id uuid, number int, CONSTRAINT once PRIMARY KEY (task_id, number))")
        )


@dataclass
class Attempt:
    """One attempt, as its child sees it."""

    desks: Desks
    lease: Lease
    told: list[int] = field(default_factory=list)  #: versions that the child tells the worker

    def __post_init__(self) -> None:
        self.fence = Fence(self.desks.store.engine, self.lease.task_id, self.lease.fence, self.told.append)
        self.saving = Saving(self.fence, self.lease.checkpoint)

    @property
    def task_id(self) -> TaskId:
        return self.lease.task_id

    def make(self, number: int, checkpoint: dict[str, Any] | None = None) -> None:
        """Insert a row in a transaction of the task."""
        with self.saving.transaction() as session:
            session.execute(text("INSERT INTO made VALUES (:id, :number)"), {"id": self.task_id, "number": number})
            if checkpoint is not None:
                self.saving.save(checkpoint)

    def made(self) -> list[int]:
        with self.desks.store.engine.connect() as connection:
            query = text("SELECT number FROM made WHERE task_id = :id ORDER BY number")
            return list(connection.execute(query, {"id": self.task_id}).scalars())

    def taken_over(self) -> Attempt:
        """Somebody else's attempt at the same task, begun while ours still lives."""
        desks = Desks(self.desks.store, f"worker {self.lease.fence + 1}")
        return Attempt(desks, desks.lease(self.lease.command, redelivered=True))


class CountingStore(EventStore):
    """Counts how often somebody looks at a stream."""

    looks = 0

    def load_many(self, after: Mapping[TaskId, int]) -> dict[TaskId, list[RecordedEvent]]:
        self.looks += 1
        return super().load_many(after)


@pytest.fixture
def attempt(store: EventStore) -> Attempt:
    desks = Desks(CountingStore(store.engine))
    return Attempt(desks, desks.lease(command()))


def test_rows_and_the_checkpoint_are_there_together_and_the_next_attempt_gets_it(
    attempt: Attempt, store: EventStore
) -> None:
    assert attempt.saving.checkpoint is None

    attempt.make(1, {"done": 1})

    assert attempt.saving.checkpoint == {"done": 1}
    assert attempt.made() == [1]
    assert bodies(store.load(attempt.task_id))[2:] == [CheckpointSaved(fence=1, data={"done": 1})]
    assert attempt.taken_over().saving.checkpoint == {"done": 1}


def test_an_error_in_the_block_leaves_neither_rows_nor_a_checkpoint(attempt: Attempt, store: EventStore) -> None:
    with pytest.raises(ZeroDivisionError), attempt.saving.transaction() as session:
        session.execute(text("INSERT INTO made VALUES (:id, 1)"), {"id": attempt.task_id})
        attempt.saving.save({"done": 1})
        raise ZeroDivisionError

    assert attempt.made() == []
    assert attempt.saving.checkpoint is None
    assert len(store.load(attempt.task_id)) == 2
    attempt.make(1)  # what was to be saved with the block went with it
    assert kinds(store.load(attempt.task_id))[2:] == ["HeartbeatRecorded"]


def test_an_error_at_the_commit_leaves_neither_rows_nor_a_checkpoint(attempt: Attempt, store: EventStore) -> None:
    with store.engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE late (n int CONSTRAINT late_once UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        )

    with pytest.raises(IntegrityError, match="late_once"), attempt.saving.transaction() as session:
        session.execute(text("INSERT INTO late VALUES (1), (1)"))
        attempt.saving.save({"done": 1})

    assert len(store.load(attempt.task_id)) == 2
    attempt.saving.save({"done": 0})
    assert attempt.saving.checkpoint == {"done": 0}


@pytest.mark.parametrize("checkpoint", [None, {"done": 2}])
def test_a_commit_of_an_attempt_that_was_taken_over_is_refused(
    attempt: Attempt, checkpoint: dict[str, Any] | None, store: EventStore
) -> None:
    attempt.make(1, {"done": 1})
    attempt.taken_over()
    before = store.load(attempt.task_id)

    with pytest.raises(LeaseLost):
        attempt.make(2, checkpoint)
    with pytest.raises(LeaseLost):
        attempt.saving.save({"done": 2})

    assert attempt.made() == [1]
    assert store.load(attempt.task_id) == before


def test_a_commit_after_the_end_is_refused(attempt: Attempt) -> None:
    new = attempt.taken_over()
    new.desks.record(new.lease, Succeeded())

    with pytest.raises(LeaseLost):
        attempt.make(1)

    assert attempt.made() == []


def test_a_takeover_waits_for_a_commit_that_has_begun_and_then_finds_it(attempt: Attempt) -> None:
    engine = attempt.desks.store.engine
    with engine.begin() as connection:
        attempt.fence.append(connection, CheckpointSaved(fence=1, data={"done": 1}))
        found: list[Attempt] = []
        taking_over = threading.Thread(target=lambda: found.append(attempt.taken_over()))
        taking_over.start()
        eventually(lambda: somebody_waits_for_a_lock(engine))
        assert not found

    taking_over.join()
    assert found[0].saving.checkpoint == {"done": 1}
    assert found[0].lease.fence == 2


def test_a_commit_waits_for_a_takeover_that_has_begun_and_is_then_refused(attempt: Attempt) -> None:
    engine = attempt.desks.store.engine
    attempt.saving.save({"done": 0})
    errors: list[Exception] = []

    def save() -> None:
        try:
            attempt.make(1, {"done": 1})
        except LeaseLost as error:
            errors.append(error)

    with engine.begin() as connection:
        other = Fence(engine, attempt.task_id, 1, lambda _: None)
        place = other.append(connection, HeartbeatRecorded(fence=1)).event  # stands for the takeover's first event
        saving = threading.Thread(target=save)
        saving.start()
        eventually(lambda: somebody_waits_for_a_lock(engine))
        take_over_in(connection, attempt, place.version)

    saving.join()
    assert len(errors) == 1
    assert attempt.made() == []


def test_an_attempt_that_freezes_before_its_commit_holds_up_nobody_for_long(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "COMMIT_SECONDS", 1)
    with attempt.desks.store.engine.connect() as connection:
        attempt.fence.append(connection, CheckpointSaved(fence=1, data={"done": 1}))

        new = attempt.taken_over()

        assert new.saving.checkpoint is None
        with pytest.raises(DBAPIError) as caught:
            connection.commit()
    assert caught.value.connection_invalidated


def test_an_event_is_as_old_as_its_append_and_not_as_its_transaction(attempt: Attempt, engine: Engine) -> None:
    """A block may take longer than a lease. Its event would be the newest of a live attempt, and older than that."""
    with engine.begin() as connection:
        asked_at = connection.execute(select(func.clock_timestamp())).scalar_one()
        entry = attempt.fence.append(connection, HeartbeatRecorded(fence=1))
    own = (event_table.c.task_id == attempt.task_id) & (event_table.c.version == entry.event.version)

    with engine.connect() as connection:
        recorded_at = connection.execute(select(event_table.c.recorded_at).where(own)).scalar_one()

    assert recorded_at > asked_at


def test_the_workers_own_events_may_come_between(attempt: Attempt, store: EventStore) -> None:
    beat = Report(fence=1, event=HeartbeatRecorded(fence=1))
    for number in range(3):
        attempt.make(number, {"done": number})
        attempt.desks.report(attempt.lease, beat)
    somebody_decides(store, attempt.task_id, RequestCancel(requested_by=7, reason=""))
    attempt.make(3, {"done": 3})
    attempt.desks.report(attempt.lease, Report(fence=1, event=ProgressReported(fence=1, percent=99)))
    attempt.desks.record(attempt.lease, Succeeded())

    assert attempt.made() == [0, 1, 2, 3]
    saved = [event.data for event in bodies(store.load(attempt.task_id)) if isinstance(event, CheckpointSaved)]
    assert saved == [{"done": number} for number in range(4)]
    assert isinstance(bodies(store.load(attempt.task_id))[-1], TaskSucceeded)


def test_the_worker_is_told_of_every_version_that_the_child_wrote(attempt: Attempt, store: EventStore) -> None:
    attempt.saving.save({"done": 1})
    attempt.make(1)

    assert attempt.told == [event.version for event in store.load(attempt.task_id)][2:]


def test_the_worker_needs_no_look_at_the_stream_behind_events_of_the_child(attempt: Attempt) -> None:
    attempt.saving.save({"done": 1})
    attempt.saving.save({"done": 2})
    for version in attempt.told:
        attempt.lease.follow(version)

    recorded = attempt.desks.record(attempt.lease, Succeeded())

    assert [event.version for event in recorded.news] == [4]
    assert isinstance(attempt.desks.store, CountingStore)
    assert attempt.desks.store.looks == 0


def test_a_wish_to_cancel_that_the_worker_has_not_read_is_not_stepped_over(
    attempt: Attempt, store: EventStore
) -> None:
    somebody_decides(store, attempt.task_id, RequestCancel(requested_by=7, reason=""))
    attempt.saving.save({"done": 1})
    for version in attempt.told:
        attempt.lease.follow(version)

    beat = Report(fence=1, event=HeartbeatRecorded(fence=1))

    assert attempt.desks.report(attempt.lease, beat).cancel_requested


def test_the_last_of_several_checkpoints_in_a_block_is_kept(attempt: Attempt, store: EventStore) -> None:
    with attempt.saving.transaction():
        attempt.saving.save({"done": 1})
        attempt.saving.save({"done": 2})
        assert attempt.saving.checkpoint is None

    assert bodies(store.load(attempt.task_id))[2:] == [CheckpointSaved(fence=1, data={"done": 2})]


def test_a_block_that_did_nothing_writes_nothing(attempt: Attempt, store: EventStore) -> None:
    with attempt.saving.transaction():
        pass

    assert len(store.load(attempt.task_id)) == 2


def test_only_the_end_of_the_block_commits(attempt: Attempt) -> None:
    with pytest.raises(InvalidRequestError, match="end of the `with` block"), attempt.saving.transaction() as session:
        session.execute(text("INSERT INTO made VALUES (:id, 1)"), {"id": attempt.task_id})
        session.commit()
    with (
        pytest.raises(InvalidRequestError, match="is open already"),
        attempt.saving.transaction(),
        attempt.saving.transaction(),
    ):
        pass

    assert attempt.made() == []


def test_errors_of_the_callers_rows_pass_through(attempt: Attempt) -> None:
    attempt.make(1)

    with pytest.raises(IntegrityError, match="once"):
        attempt.make(1, {"done": 1})

    assert attempt.saving.checkpoint is None


def test_a_deadlock_of_the_callers_rows_passes_through(attempt: Attempt, store: EventStore) -> None:
    numbers = [attempt.make(1), attempt.make(2)]
    assert len(numbers) == 2
    update = text("UPDATE made SET number = number WHERE task_id = :id AND number = :number")
    mine, theirs = {"id": attempt.task_id, "number": 1}, {"id": attempt.task_id, "number": 2}
    with store.engine.connect() as other:
        other.execute(text("SET deadlock_timeout = '60s'"))  # so that the server ends ours
        other.execute(update, theirs)
        crossing = threading.Thread(target=lambda: other.execute(update, mine))

        with pytest.raises(OperationalError, match="deadlock"), attempt.saving.transaction() as session:
            session.execute(update, mine)
            attempt.saving.save({"done": 1})
            crossing.start()
            eventually(lambda: somebody_waits_for_a_lock(store.engine))
            session.execute(update, theirs)
        crossing.join()
        other.execute(text("RESET deadlock_timeout"))
        other.rollback()

    assert attempt.saving.checkpoint is None


@pytest.mark.parametrize("written", [True, False])
def test_a_commit_without_an_answer_is_found_or_known_not_to_be_there(
    attempt: Attempt, written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_connection(session: Block) -> None:
        commit(session) if written else session.rollback()
        raise DBAPIError("COMMIT", {}, OSError("connection lost"), connection_invalidated=True)

    commit = Block.commit_now
    monkeypatch.setattr(Block, "commit_now", break_connection)

    if written:
        attempt.make(1, {"done": 1})
        assert attempt.saving.checkpoint == {"done": 1}
    else:
        with pytest.raises(DBAPIError, match="connection lost"):
            attempt.make(1, {"done": 1})
        assert attempt.saving.checkpoint is None
    assert attempt.made() == ([1] if written else [])
    monkeypatch.undo()
    attempt.make(2, {"done": 2})


def test_a_checkpoint_is_saved_although_the_connections_were_cut(attempt: Attempt, store: EventStore) -> None:
    attempt.saving.save({"done": 1})
    with store.engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    attempt.saving.save({"done": 2})

    assert bodies(store.load(attempt.task_id))[-1] == CheckpointSaved(fence=1, data={"done": 2})


@pytest.mark.parametrize(
    "data",
    [
        {"at": datetime(2026, 3, 1, tzinfo=UTC)},
        {"range": (1, 2)},
        {"set": {1}},
        {1: "number as key"},
        {"nan": float("nan")},
        {"nul": "a\0b"},
        {"object": object()},
        [1, 2],
    ],
    ids=["time", "tuple", "set", "number as key", "not a number", "nul", "object", "list"],
)
def test_what_json_would_change_is_refused(attempt: Attempt, data: Any) -> None:
    with pytest.raises(ValueError, match="A checkpoint holds text without NUL characters"):
        attempt.saving.save(data)


def test_a_checkpoint_that_is_too_large_is_refused_and_nothing_is_written(
    attempt: Attempt, store: EventStore
) -> None:
    with pytest.raises(ValueError, match=r"may take 65536 bytes as JSON, not 65548: keep the data in a table"):
        attempt.saving.save({"text": "x" * (LARGEST_CHECKPOINT_BYTES + 1)})

    attempt.saving.save({"text": "x" * (LARGEST_CHECKPOINT_BYTES - 11)})
    assert len(store.load(attempt.task_id)) == 3


def test_changing_what_was_saved_does_not_change_the_checkpoint(attempt: Attempt) -> None:
    data = {"done": [1]}
    attempt.saving.save(data)
    data["done"].append(2)
    read = attempt.saving.checkpoint
    assert read is not None
    read["done"] = []

    assert attempt.saving.checkpoint == {"done": [1]}


def test_a_stream_set_back_to_a_backup_means_a_lost_lease(attempt: Attempt, store: EventStore) -> None:
    attempt.saving.save({"done": 1})
    with store.engine.begin() as connection:
        connection.execute(
            text("DELETE FROM batchtask.event WHERE task_id = :id AND version > 1"), {"id": attempt.task_id}
        )

    with pytest.raises(LeaseLost):
        attempt.saving.save({"done": 2})


def somebody_waits_for_a_lock(engine: Engine) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return bool(connection.execute(text(query)).scalar())


def take_over_in(connection: Connection, attempt: Attempt, version: int) -> None:
    """Let the attempt be lost and another one begin, in a transaction that is open."""
    lost = Append(attempt.task_id, version, [AttemptLost(fence=1)], datetime.now(UTC))
    assert insert_events(connection, [lost])
