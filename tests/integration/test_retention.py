"""What finished long ago is removed for good, and nothing else is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, Table, func, insert, select, update

from batchtask.database import make_engine
from batchtask.definitions import Registry
from batchtask.events import TaskReplayed
from batchtask.identifiers import TaskId
from batchtask.intentions import RequestCancel
from batchtask.locks import Lock, advisory_lock
from batchtask.outcomes import Succeeded
from batchtask.payloads import PayloadStore
from batchtask.removal import Removed
from batchtask.replaying import NotReplayable, Replays
from batchtask.store import EventStore, first_event
from batchtask.tables import batchtask, effect, event, log_line, task_number
from projections.projector import Projector
from projections.retention import Retention
from tests.desks import BEGAN, Desks, command, somebody_decides

CUTOFF = BEGAN + timedelta(days=30)
TABLES = (event, log_line, effect, task_number, batchtask)


@pytest.fixture
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    with databases() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def store(engine: Engine) -> EventStore:
    return EventStore(engine)


@pytest.fixture
def payloads(tmp_path: Path) -> PayloadStore:
    return PayloadStore(str(tmp_path / "payloads"))


@pytest.fixture
def retention(engine: Engine, tmp_path: Path, payloads: PayloadStore) -> Retention:
    return Retention(engine, tmp_path / "files", payloads)


def project(store: EventStore, task_id: TaskId) -> None:
    Projector(store.engine).project(store.load(task_id))


def finished(store: EventStore, **fields: object) -> TaskId:
    wanted = command(**fields)
    desks = Desks(store)
    desks.record(desks.lease(wanted), Succeeded(response="done"))
    project(store, wanted.id)
    return wanted.id


def stopped(store: EventStore) -> TaskId:
    wanted = command()
    store.append_many([], ensure=[first_event(wanted)])
    somebody_decides(store, wanted.id, RequestCancel(requested_by=3, reason=""))
    project(store, wanted.id)
    return wanted.id


def rows(engine: Engine, table: Table, task_id: TaskId) -> int:
    with engine.connect() as connection:
        query = select(func.count()).select_from(table).where(table.c.task_id == task_id)
        return connection.execute(query).scalar_one()


def test_nothing_is_left_of_a_task_that_finished_long_ago(
    store: EventStore, retention: Retention, tmp_path: Path
) -> None:
    old = finished(store)
    with store.engine.begin() as connection:
        line = {"task_id": old, "attempt": 1, "logged_at": BEGAN, "level": 20, "text": "one line"}
        connection.execute(insert(log_line), line)
        connection.execute(insert(effect), {"task_id": old, "key": "mail", "fence": 1})
    (tmp_path / "files" / str(old)).mkdir(parents=True)
    (tmp_path / "files" / str(old) / "letters.docx").write_bytes(b"x" * 1000)
    assert retention.prune(CUTOFF) == Removed(tasks=1, files=1, bytes=1000)
    assert [rows(store.engine, table, old) for table in TABLES] == [0] * len(TABLES)
    assert list((tmp_path / "files").iterdir()) == []


def test_open_tasks_and_younger_ones_stay(store: EventStore, retention: Retention) -> None:
    waiting = command()
    store.append_many([], ensure=[first_event(waiting)])
    project(store, waiting.id)
    young = finished(store)
    assert retention.prune(BEGAN) == Removed()
    assert retention.prune(CUTOFF) == Removed(tasks=1)
    assert rows(store.engine, event, waiting.id) == 1
    assert rows(store.engine, batchtask, young) == 0


def test_a_dry_run_counts_and_removes_nothing(
    engine: Engine, store: EventStore, tmp_path: Path, payloads: PayloadStore
) -> None:
    task_id = finished(store)
    (tmp_path / "files" / str(task_id)).mkdir(parents=True)
    (tmp_path / "files" / str(task_id) / "report.pdf").write_bytes(b"pdf")
    dry = Retention(engine, tmp_path / "files", payloads, dry_run=True)
    assert dry.prune(CUTOFF) == dry.prune(CUTOFF) == Removed(tasks=1, files=1, bytes=3)
    assert (tmp_path / "files" / str(task_id) / "report.pdf").exists()


def test_a_row_behind_its_stream_is_left_to_the_reconciler(store: EventStore, retention: Retention) -> None:
    task_id = stopped(store)
    with store.engine.begin() as connection:
        connection.execute(update(batchtask).values(version=0).where(batchtask.c.task_id == task_id))
    assert retention.prune(CUTOFF) == Removed()
    assert rows(store.engine, event, task_id) > 0


def test_payloads_of_the_task_alone_are_removed(
    store: EventStore, retention: Retention, payloads: PayloadStore, tmp_path: Path
) -> None:
    wanted = command()
    _, own = payloads.place(wanted.id, {"text": "x" * 70_000})
    _, shared = payloads.place(command().id, {"text": "y" * 70_000})
    assert own
    assert shared
    finished(store, task_id=wanted.id, payload_ref=own)
    finished(store, payload_ref=shared)
    assert retention.prune(CUTOFF) == Removed(tasks=2, payloads=1)
    assert [path.name for path in (tmp_path / "payloads").iterdir()] == [Path(shared).name]


def test_more_than_a_page_is_removed(store: EventStore, retention: Retention) -> None:
    pages: list[int] = []
    for _ in range(3):
        stopped(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("projections.retention.PAGE", 2)
        retention.prune(CUTOFF, lambda pruned: pages.append(pruned.tasks))
    assert pages == [2, 3]


def test_a_replay_waits_for_the_removal_and_is_then_refused(
    store: EventStore, retention: Retention, payloads: PayloadStore
) -> None:
    task_id = stopped(store)
    replays = Replays(store, Registry([]), payloads, lambda: CUTOFF)
    outcome: list[object] = []

    def replay() -> None:
        try:
            outcome.extend(replays.replay(task_id))
        except Exception as error:
            outcome.append(error)

    with advisory_lock(store.engine, Lock.RETENTION):
        thread = threading.Thread(target=replay)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        retention._removal.remove([task_id], Removed())
    thread.join(10)
    assert [type(found).__name__ for found in outcome] == ["TaskNotFound"]
    assert rows(store.engine, event, task_id) == 0


def test_a_replayed_task_is_not_removed(store: EventStore, retention: Retention, payloads: PayloadStore) -> None:
    task_id = stopped(store)
    history = Replays(store, Registry([]), payloads, lambda: CUTOFF).replay(task_id)
    assert isinstance(history[-1].body, TaskReplayed)
    assert retention.prune(CUTOFF + timedelta(days=1)) == Removed()  # its row does not know yet
    project(store, task_id)
    assert retention.prune(CUTOFF + timedelta(days=1)) == Removed()
    with pytest.raises(NotReplayable):
        Replays(store, Registry([]), payloads, lambda: CUTOFF).replay(task_id)


def test_late_news_of_a_removed_task_makes_no_row(store: EventStore, retention: Retention) -> None:
    task_id = finished(store)
    history = store.load(task_id)
    retention.prune(CUTOFF)
    Projector(store.engine).project(history[-1:])
    assert rows(store.engine, batchtask, task_id) == 0
