"""What waits is released when it is due: once to effect, whoever dies meanwhile, and however many there are."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from batchtask.envelope import CommandMessage, decode_command
from batchtask.errors import PublishUnconfirmed
from batchtask.events import AttemptStarted, Event, RecordedEvent, TaskDeferred, TaskReleased, TaskReplayed
from batchtask.identifiers import TaskId
from batchtask.intentions import Claim
from batchtask.messages import SubmitTask
from batchtask.publishing import Message
from batchtask.store import Append, EventStore, first_event
from batchtask.tables import batchtask
from batchtask.task import decide
from projections.projector import Projector
from projections.releases import PAGE, Released, Releases
from tests.desks import BEGAN, command, kinds, somebody_decides

SOON = timedelta(hours=1)


class Outlet:
    """Takes what a scheduler publishes."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def __call__(self, messages: Sequence[Message]) -> Collection[int]:
        self.messages += messages
        return ()

    @property
    def commands(self) -> dict[TaskId, CommandMessage]:
        """The commands by task; each was published once."""
        commands = [decode_command(message.body) for message in self.messages]
        found = {command.command.id: command for command in commands}
        assert len(found) == len(commands)
        return found


def releases(engine: Engine, publish: Any) -> Releases:
    return Releases(engine, Projector(engine), publish)


@pytest.fixture(autouse=True)
def nothing_else_is_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(batchtask.update().values(due_at=None))


def waiting(store: EventStore, engine: Engine, count: int = 1, *, start_at: datetime = BEGAN) -> list[TaskId]:
    """Tasks that were submitted for later, recorded and projected."""
    first = [first_event(command(start_at=start_at, parameters={"number": number})) for number in range(count)]
    Projector(engine).project([], submitted=first)
    return [TaskId(event.task_id) for event in first]


def append(store: EventStore, task_id: TaskId, *events: Event) -> list[RecordedEvent]:
    return store.append(Append(task_id, store.state(task_id).version, events, BEGAN))


def due_rows(engine: Engine) -> set[object]:
    with engine.connect() as connection:
        return set(connection.execute(select(batchtask.c.task_id).where(batchtask.c.due_at.is_not(None))).scalars())


def test_a_due_task_is_published_with_its_release_and_then_released(store: EventStore, engine: Engine) -> None:
    [task_id] = waiting(store, engine)
    outlet = Outlet()

    assert releases(engine, outlet).release_due() == Released(tasks=1)

    message = outlet.commands[task_id]
    assert isinstance(message.command, SubmitTask)
    assert (message.release, message.command.parameters, message.command.start_at) == (0, {"number": 0}, None)
    assert kinds(store.load(task_id)) == ["TaskSubmitted", "TaskReleased"]
    assert due_rows(engine) == set()


def test_a_task_that_is_not_due_is_left_alone(store: EventStore, engine: Engine) -> None:
    [task_id] = waiting(store, engine, start_at=datetime.now(UTC) + SOON)
    outlet = Outlet()

    assert releases(engine, outlet).release_due() == Released()

    assert outlet.messages == []
    assert kinds(store.load(task_id)) == ["TaskSubmitted"]


def test_what_a_replay_changed_is_what_is_published(store: EventStore, engine: Engine) -> None:
    [task_id] = waiting(store, engine)
    replayed = TaskReplayed(requested_by=3, due_at=BEGAN, parameters={"number": 42})
    Projector(engine).project(append(store, task_id, replayed))
    outlet = Outlet()

    releases(engine, outlet).release_due()

    published = outlet.commands[task_id].command
    assert isinstance(published, SubmitTask)
    assert published.parameters == {"number": 42}


def test_what_the_broker_did_not_confirm_is_published_again(store: EventStore, engine: Engine) -> None:
    first, second = waiting(store, engine, 2)

    assert releases(engine, lambda messages: {0}).release_due() == Released(tasks=1, unconfirmed=1)

    [left] = due_rows(engine)
    assert kinds(store.load(TaskId(left))) == ["TaskSubmitted"]  # type: ignore[arg-type]
    outlet = Outlet()
    assert releases(engine, outlet).release_due() == Released(tasks=1)
    assert set(outlet.commands) == {left} <= {first, second}


def test_a_crash_after_the_publish_publishes_the_same_release_again(store: EventStore, engine: Engine) -> None:
    [task_id] = waiting(store, engine)
    outlet = Outlet()

    def publish_and_die(messages: Sequence[Message]) -> Collection[int]:
        outlet(messages)
        raise PublishUnconfirmed(str(task_id), "the process died")

    with pytest.raises(PublishUnconfirmed):
        releases(engine, publish_and_die).release_due()
    releases(engine, outlet).release_due()

    assert [decode_command(message.body).release for message in outlet.messages] == [0, 0]
    assert kinds(store.load(task_id)) == ["TaskSubmitted", "TaskReleased"]


def test_a_worker_that_is_faster_than_the_release_is_no_conflict(store: EventStore, engine: Engine) -> None:
    [task_id] = waiting(store, engine)

    def publish_and_claim(messages: Sequence[Message]) -> Collection[int]:
        claim = Claim(at=BEGAN, worker="w", delivery_id="m1", redelivered=False, deadline_at=None, release=0)
        somebody_decides(store, task_id, claim)
        return ()

    assert releases(engine, publish_and_claim).release_due() == Released(tasks=1)

    assert kinds(store.load(task_id)) == ["TaskSubmitted", "AttemptStarted"]
    assert due_rows(engine) == set()


def test_a_row_that_is_behind_its_stream_is_brought_up_to_date_instead(store: EventStore, engine: Engine) -> None:
    [task_id] = waiting(store, engine)
    append(store, task_id, TaskReleased())
    claim = Claim(at=BEGAN, worker="w", delivery_id="m1", redelivered=False, deadline_at=None)
    state = store.state(task_id)
    append(store, task_id, *decide(state, claim))
    outlet = Outlet()

    assert releases(engine, outlet).release_due() == Released()

    assert outlet.messages == []
    assert due_rows(engine) == set()
    assert isinstance(store.load(task_id)[-1].body, AttemptStarted)


def test_a_wait_that_was_prolonged_meanwhile_is_kept(store: EventStore, engine: Engine) -> None:
    [task_id] = waiting(store, engine)
    later = datetime.now(UTC) + SOON
    append(store, task_id, TaskDeferred(due_at=later, reason="not its turn"))
    outlet = Outlet()

    releases(engine, outlet).release_due()

    assert outlet.messages == []
    with engine.connect() as connection:
        due_at = connection.execute(select(batchtask.c.due_at).where(batchtask.c.task_id == task_id)).scalar()
    assert due_at == later


def test_a_task_whose_stream_cannot_be_read_holds_no_other_up(store: EventStore, engine: Engine) -> None:
    first, broken, last = waiting(store, engine, 3)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batchtask.event SET type = 'FromTomorrow' WHERE task_id = :id"), {"id": broken}
        )
    outlet = Outlet()

    assert releases(engine, outlet).release_due() == Released(tasks=2)

    assert set(outlet.commands) == {first, last}


def test_rows_without_a_stream_do_not_stand_in_the_way(store: EventStore, engine: Engine) -> None:
    """The streams were set back to a backup, the rows were not."""
    lost = waiting(store, engine, PAGE, start_at=BEGAN - SOON)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM batchtask.event WHERE task_id = ANY(:ids)"), {"ids": lost})
    [task_id] = waiting(store, engine)
    outlet = Outlet()

    assert releases(engine, outlet).release_due() == Released(tasks=1)

    assert set(outlet.commands) == {task_id}


@contextmanager
def locked(engine: Engine, task_ids: Collection[TaskId]) -> Iterator[None]:
    with engine.begin() as connection:
        query = select(batchtask.c.task_id).where(batchtask.c.task_id.in_(task_ids)).with_for_update()
        connection.execute(query)
        yield


def test_what_another_scheduler_has_in_hand_is_passed_by(store: EventStore, engine: Engine) -> None:
    first, second = waiting(store, engine, 2)
    outlet = Outlet()

    with locked(engine, [first]):
        assert releases(engine, outlet).release_due() == Released(tasks=1)

    assert set(outlet.commands) == {second}


def test_four_schedulers_at_once_publish_every_task_once(store: EventStore, engine: Engine) -> None:
    task_ids = waiting(store, engine, 3 * PAGE)
    outlet = Outlet()
    barrier = threading.Barrier(4, timeout=20)
    released: list[Released] = []

    def release() -> None:
        one = releases(engine, outlet)
        barrier.wait()
        released.append(one.release_due())

    threads = [threading.Thread(target=release) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Those whose page was locked when it looked ended early; what is left is for the next look.
    released.append(releases(engine, outlet).release_due())

    assert set(outlet.commands) == set(task_ids)
    assert sum(one.tasks for one in released) == len(task_ids)
    assert all(
        kinds(events)[-1] == "TaskReleased" for events in store.load_many(dict.fromkeys(task_ids, -1)).values()
    )
