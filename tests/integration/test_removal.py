"""A removed task is gone for good: what is still on its way does not bring it back, and nobody is in its way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select

from batchtask.amending import Amendments
from batchtask.database import make_engine
from batchtask.errors import TaskNotFound
from batchtask.identifiers import TaskId, new_task_id
from batchtask.intentions import Amend
from batchtask.locks import Lock, advisory_lock
from batchtask.messages import SubmitTask
from batchtask.outcomes import Succeeded
from batchtask.payloads import PayloadStore
from batchtask.removal import Removal, Removed, TasksOpen
from batchtask.store import EventStore, first_event
from batchtask.tables import batchtask, event, task_number
from projections.projector import Projector
from projections.rebuild import Rebuild, Rebuilt
from tests.desks import Desks, command, ticking
from worker.lease import Refused


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
def removal(engine: Engine, tmp_path: Path) -> Removal:
    return Removal(engine, tmp_path / "files", PayloadStore(str(tmp_path / "payloads")))


def finished(store: EventStore, **fields: object) -> SubmitTask:
    wanted = command(**fields)
    desks = Desks(store)
    desks.record(desks.lease(wanted), Succeeded(response="done"))
    Projector(store.engine).project(store.load(wanted.id))
    return wanted


def waiting(store: EventStore) -> SubmitTask:
    wanted = command()
    Projector(store.engine).project([], submitted=[first_event(wanted)])
    return wanted


def is_gone(store: EventStore, task_id: TaskId) -> bool:
    with store.engine.connect() as connection:
        rows = connection.execute(select(func.count()).where(batchtask.c.task_id == task_id)).scalar_one()
    return not rows and store.load(task_id) == []


def test_a_removed_task_leaves_nothing_but_its_number(store: EventStore, removal: Removal) -> None:
    task = finished(store, payload_ref=None)
    stays = finished(store)
    assert removal.remove_ended([task.id]) == Removed(tasks=1)
    assert is_gone(store, task.id)
    assert not is_gone(store, stays.id)
    with store.engine.connect() as connection:
        numbers = connection.execute(select(func.count()).select_from(task_number)).scalar_one()
    assert numbers == 2


@pytest.mark.parametrize("message_id", ["m1", "m2"])
@pytest.mark.parametrize("more", [{}, {"redelivered": True}, {"release": 3}, {"unable": "No worker knows it"}])
def test_a_late_copy_of_its_message_is_not_worked_on(
    store: EventStore, removal: Removal, message_id: str, more: dict[str, object]
) -> None:
    task = finished(store)
    removal.remove_ended([task.id])
    answer = Desks(store, worker="host/2").claim(task, message_id, **more)
    assert isinstance(answer, Refused)
    assert is_gone(store, task.id)


def test_late_copies_are_refused_beside_tasks_that_are_new(store: EventStore, removal: Removal) -> None:
    gone = [finished(store), finished(store)]
    removal.remove_ended([task.id for task in gone])
    tasks = [*gone, command()]
    store.append_many([], ensure=[first_event(task) for task in tasks])
    assert [len(store.load(task.id)) for task in tasks] == [0, 0, 1]


def test_late_news_and_a_late_submission_make_no_row(store: EventStore, removal: Removal) -> None:
    task = finished(store)
    history = store.load(task.id)
    removal.remove_ended([task.id])
    projector = Projector(store.engine)
    for late in (history[1:], history[2:], history[1:2]):
        projector.project(late)
        projector.project(late, submitted=[first_event(task)])
    projector.project([], submitted=[first_event(task)])
    assert is_gone(store, task.id)
    assert Rebuild(store.engine).run() == Rebuilt(tasks=0, missing=0, different=0, orphaned=0)


def test_open_tasks_are_not_removed_nor_any_that_was_named_with_them(store: EventStore, removal: Removal) -> None:
    ended, open_ = finished(store), waiting(store)
    with pytest.raises(TasksOpen, match=f"not to be removed: {open_.id}; stop them first"):
        removal.remove_ended([ended.id, open_.id])
    with pytest.raises(TaskNotFound):
        removal.remove_ended([ended.id, new_task_id()])
    assert not is_gone(store, ended.id)
    assert not is_gone(store, open_.id)


def test_a_task_that_somebody_wrote_on_after_its_end_has_ended_all_the_same(
    store: EventStore, removal: Removal
) -> None:
    task = finished(store)
    Amendments(store, ticking()).amend(task.id, Amend(requested_by=7, response="Seen."))
    assert removal.remove_ended([task.id]).tasks == 1
    with pytest.raises(TaskNotFound):
        Amendments(store, ticking()).amend(task.id, Amend(requested_by=7, response="Seen."))


def test_files_that_cannot_be_removed_keep_the_task(store: EventStore, engine: Engine, tmp_path: Path) -> None:
    """The files go first, so what is left is found again: a crash there is finished by removing the task again."""
    task = finished(store)

    class Broken(PayloadStore):
        def remove(self, task_id: TaskId, reference: str, *, dry_run: bool = False) -> bool:
            raise OSError("gone away")

    with engine.begin() as connection:
        parameters = event.c.data.op("||")(func.jsonb_build_object("payload_ref", "somewhere"))
        connection.execute(event.update().where(event.c.version == 0).values(data=parameters))
    with pytest.raises(OSError, match="gone away"):
        Removal(engine, tmp_path, Broken("/payloads")).remove_ended([task.id])
    assert not is_gone(store, task.id)


def test_whoever_writes_on_a_task_waits_for_its_removal_and_is_then_refused(
    store: EventStore, removal: Removal
) -> None:
    task = finished(store)
    refusals: list[Exception] = []

    def amend() -> None:
        try:
            Amendments(store, ticking()).amend(task.id, Amend(requested_by=7, response="Seen."))
        except TaskNotFound as error:
            refusals.append(error)

    with advisory_lock(store.engine, Lock.RETENTION):
        thread = threading.Thread(target=amend)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        removal.remove([task.id], Removed(), keep_numbers=True)
    thread.join()
    assert len(refusals) == 1
    assert is_gone(store, task.id)


def test_a_task_that_is_removed_during_a_rebuild_is_no_missing_row(store: EventStore, removal: Removal) -> None:
    removed, kept = finished(store), finished(store)

    rebuilt = Rebuild(store.engine, progress=lambda _: remove(removal, removed)).run()

    assert (rebuilt.missing, rebuilt.orphaned) == (0, 0)
    assert with_rows(store) == [kept.id]


def test_news_of_a_removed_task_that_come_late_make_no_row(store: EventStore, removal: Removal) -> None:
    """A copy of its message found it finished, and its whole stream was announced before it was removed."""
    removed = finished(store)
    news = store.load(removed.id)
    remove(removal, removed)

    Projector(store.engine).project(news)
    Projector(store.engine).project(news, submitted=[first_event(removed)])

    assert with_rows(store) == []


def remove(removal: Removal, wanted: SubmitTask) -> None:
    removal.remove_ended([wanted.id])


def with_rows(store: EventStore) -> list[UUID]:
    """The tasks that have a row."""
    with store.engine.connect() as connection:
        return list(connection.execute(select(batchtask.c.task_id)).scalars())
