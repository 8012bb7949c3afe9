"""What an operator learns of dead tasks, and how they begin anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, insert

from batchtask.database import make_engine
from batchtask.definitions import Registry, TaskContext, task
from batchtask.errors import InvalidParameters, PayloadTooLarge, TaskNotFound, UnknownTask
from batchtask.events import TaskReplayed, TaskSubmitted
from batchtask.identifiers import TaskId, new_task_id
from batchtask.intentions import Defer, Reject, RequestCancel
from batchtask.outcomes import Cause, Failed, Interrupted, Lost, Succeeded
from batchtask.payloads import PayloadStore
from batchtask.replaying import NotReplayable, Replays
from batchtask.store import EventStore, first_event
from batchtask.tables import log_line
from batchtask.task_state import Phase
from projections.dead_tasks import STOPPED, DeadFilter, DeadTasks
from projections.projector import Projector
from projections.rows import State
from tests.desks import BEGAN, Desks, command, somebody_decides


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rows: int
    title: str = ""


@task("report")
def report(context: TaskContext, parameters: Report) -> None:
    """Nothing: it is never run here."""


REGISTRY = Registry([report])
LATER = BEGAN + timedelta(days=1)


@pytest.fixture(scope="module")
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    with databases() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def replays(store: EventStore, tmp_path: Path) -> Replays:
    return Replays(store, REGISTRY, PayloadStore(str(tmp_path)), lambda: LATER)


@pytest.fixture
def dead(engine: Engine) -> DeadTasks:
    return DeadTasks(engine)


def submitted(store: EventStore, **fields: Any) -> TaskId:
    wanted = command(name="report", parameters={"rows": 5}, **fields)
    store.append_many([], ensure=[first_event(wanted)])
    return wanted.id


def failed(store: EventStore, **fields: Any) -> TaskId:
    task_id = submitted(store, **fields)
    somebody_decides(store, task_id, Reject(message="No worker knows it.", cause=Cause.REJECTED))
    project(store, task_id)
    return task_id


def stopped(store: EventStore, **fields: Any) -> TaskId:
    task_id = submitted(store, **fields)
    somebody_decides(store, task_id, RequestCancel(requested_by=3, reason=""))
    project(store, task_id)
    return task_id


def project(store: EventStore, *task_ids: TaskId) -> None:
    for task_id in task_ids:
        Projector(store.engine).project(store.load(task_id))


def found(dead: DeadTasks, **wanted: Any) -> list[TaskId]:
    return [TaskId(row.task_id) for row in dead.tasks(DeadFilter(**wanted))]


def test_dead_tasks_are_those_that_failed_or_were_stopped_newest_first(store: EventStore, dead: DeadTasks) -> None:
    first, second = failed(store, owner=901), stopped(store, owner=901)
    open_task = submitted(store, owner=901)
    project(store, open_task)

    rows = dead.tasks(DeadFilter(owner=901))

    assert [(row.task_id, row.cause, row.message) for row in rows] == [
        (second, STOPPED, "Stopped on request."),
        (first, "rejected", "No worker knows it."),
    ]
    assert {(row.name, row.owner) for row in rows} == {("report", 901)}
    assert dead.count(DeadFilter(owner=901)) == 2


def test_dead_tasks_are_found_by_definition_cause_and_time(store: EventStore, dead: DeadTasks) -> None:
    one, other = failed(store, owner=902), stopped(store, owner=902)

    assert found(dead, owner=902, causes=["rejected"]) == [one]
    assert found(dead, owner=902, causes=[STOPPED, "error"]) == [other]
    assert found(dead, owner=902, name="report", since=BEGAN, until=LATER) == [other, one]
    assert found(dead, owner=902, name="other") == []
    assert found(dead, owner=902, since=LATER) == []
    assert found(dead, owner=902, until=BEGAN) == []


def test_dead_tasks_come_in_pages(store: EventStore, dead: DeadTasks) -> None:
    ids = [failed(store, owner=903) for _ in range(3)]
    wanted = DeadFilter(owner=903)

    first = dead.tasks(wanted, limit=2)
    rest = dead.tasks(wanted, limit=2, before=first[-1].batchtask_id)

    assert [row.task_id for row in (*first, *rest)] == ids[::-1]


def test_every_attempt_is_told_with_its_end_its_error_and_its_lines(store: EventStore, dead: DeadTasks) -> None:
    desks, wanted = Desks(store), command(name="report", parameters={"rows": 5})
    lost = desks.lease(wanted)
    log(store, lost.task_id, 1, "the first time")
    desks.record(lost, Lost(detail="SIGKILL"))
    interrupted = desks.lease(wanted)
    desks.record(interrupted, Interrupted(reason="the worker was told to stop"))
    again = desks.lease(wanted)
    log(store, again.task_id, 2, "the second time")
    desks.record(again, Failed(message="The list is empty.", detail="Traceback …"))
    project(store, wanted.id)

    told = dead.report(wanted.id)

    assert [(one.attempt, one.fence, one.outcome, one.message, one.detail) for one in told.attempts] == [
        (1, 1, "lost", "The process that ran it is gone.", "SIGKILL"),
        (2, 2, "interrupted", "the worker was told to stop", ""),
        (2, 3, "failed: error", "The list is empty.", "Traceback …"),
    ]
    assert all(one.ended_at is not None and one.started_at < one.ended_at for one in told.attempts)
    assert [[line.text for line in one.log] for one in told.attempts] == [
        ["the first time"],
        [],
        ["the second time"],
    ]
    assert (told.task.state, told.parameters) == (State.Failed, {"rows": 5})


def log(store: EventStore, task_id: TaskId, attempt: int, text: str) -> None:
    values = {"task_id": task_id, "attempt": attempt, "logged_at": datetime.now(UTC), "level": 20, "text": text}
    with store.engine.begin() as connection:
        connection.execute(insert(log_line).values(**values))


def test_a_replayed_task_waits_and_is_due_at_once(store: EventStore, replays: Replays, dead: DeadTasks) -> None:
    task_id = failed(store, owner=904)

    history = replays.replay(task_id, requested_by=17)
    Projector(store.engine).project(history)

    assert history[-1].body == TaskReplayed(requested_by=17, due_at=LATER)
    assert [event.version for event in history] == [0, 1, 2]
    state = store.state(task_id)
    assert (state.phase, state.due_at, state.submitted.parameters) == (Phase.WAITING, LATER, {"rows": 5})
    assert found(dead, owner=904) == []


def test_a_stopped_task_can_be_replayed_too_and_is_not_stopped_again(store: EventStore, replays: Replays) -> None:
    task_id = stopped(store)
    replays.replay(task_id)
    assert store.state(task_id).cancel_requested_by is None


def test_changed_parameters_take_the_place_of_those_before_and_the_others_stay(
    store: EventStore, replays: Replays
) -> None:
    task_id = failed(store)

    replays.replay(task_id, changes={"title": "Members"})

    assert store.state(task_id).submitted.parameters == {"rows": 5, "title": "Members"}
    first = store.load(task_id)[0].body
    assert isinstance(first, TaskSubmitted)
    assert first.parameters == {"rows": 5}


def test_large_parameters_go_through_the_payload_store(store: EventStore, replays: Replays, tmp_path: Path) -> None:
    task_id = failed(store)
    title = "long " * 20_000

    replays.replay(task_id, changes={"title": title})
    large = store.state(task_id).submitted
    assert large.parameters == {}
    assert large.payload_ref is not None
    assert PayloadStore(str(tmp_path)).fetch(large.payload_ref) == {"rows": 5, "title": title}

    somebody_decides(store, task_id, Reject(message="no"))
    replays.replay(task_id, changes={"title": "short"})
    small = store.state(task_id).submitted
    assert (small.parameters, small.payload_ref) == ({"rows": 5, "title": "short"}, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"rows": "many"}, "rows"), ({"pages": 3}, "pages"), ({"title": "a\0b"}, "NUL"), ({"rows": 2**70}, "rows|int")],
)
def test_parameters_that_do_not_fit_are_refused_and_the_task_stays_dead(
    store: EventStore, replays: Replays, changes: dict[str, object], words: str
) -> None:
    task_id = failed(store)
    with pytest.raises(InvalidParameters, match=words):
        replays.replay(task_id, changes=changes)
    assert store.state(task_id).phase is Phase.FAILED


def test_large_parameters_without_a_payload_store_are_refused(store: EventStore) -> None:
    task_id = failed(store)
    with pytest.raises(PayloadTooLarge):
        Replays(store, REGISTRY, PayloadStore(""), lambda: LATER).replay(task_id, changes={"title": "x" * 70_000})


def test_only_changed_parameters_need_the_definition(store: EventStore) -> None:
    replays = Replays(store, Registry([]), PayloadStore(""), lambda: LATER)
    changed, unchanged = failed(store), failed(store)

    with pytest.raises(UnknownTask):
        replays.replay(changed, changes={"rows": 6})
    replays.replay(unchanged)

    assert store.state(unchanged).phase is Phase.WAITING


def test_only_a_dead_task_can_be_replayed_and_the_refusal_says_what_it_does_instead(
    store: EventStore, replays: Replays
) -> None:
    queued, waiting, running, done, replayed = (submitted(store) for _ in range(5))
    somebody_decides(store, waiting, Defer(due_at=LATER, reason=""))
    desks = Desks(store)
    desks.lease(command(running))
    desks.record(desks.lease(command(done)), Succeeded())
    somebody_decides(store, replayed, Reject(message="no"))
    replays.replay(replayed)

    answer = replays.replay_many([queued, waiting, running, done, replayed])

    assert answer.histories == {}
    assert [str(error).removeprefix(f"task {task_id} ") for task_id, error in answer.refused.items()] == [
        "waits for a worker; only one that failed or was stopped can be replayed",
        "waits to be queued again; only one that failed or was stopped can be replayed",
        "is running; only one that failed or was stopped can be replayed",
        "has succeeded; only one that failed or was stopped can be replayed",
        "waits to be queued again; only one that failed or was stopped can be replayed",
    ]
    assert all(isinstance(error, NotReplayable) for error in answer.refused.values())


def test_what_is_refused_holds_up_none_of_the_others(store: EventStore, replays: Replays) -> None:
    good, unknown, open_task = failed(store), new_task_id(), submitted(store)
    foreseen = replays.refusals([unknown, good, open_task])

    answer = replays.replay_many([unknown, good, open_task, good])

    assert set(answer.histories) == {good}
    assert {key: type(error) for key, error in answer.refused.items()} == {
        unknown: TaskNotFound,
        open_task: NotReplayable,
    }
    assert {key: str(error) for key, error in foreseen.items()} == {
        key: str(error) for key, error in answer.refused.items()
    }
    assert store.state(good).phase is Phase.WAITING
