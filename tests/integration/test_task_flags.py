"""Start flags stand until their task has ended, whatever ended it, and nobody has to be alive to release them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from batchtask.database import make_engine
from batchtask.events import (
    AttemptStarted,
    Event,
    TaskAmended,
    TaskCancelled,
    TaskFailed,
    TaskReplayed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.identifiers import TaskId, new_task_id
from batchtask.outcomes import Cause
from batchtask.store import Append, EventStore
from batchtask.task_flags import (
    drop_flag,
    give_back_flag,
    remove_flags_that_are_over,
    set_flag,
    standing_flags,
    take_flag,
)
from projections.projector import Projector

KEY = "UDefRebuildContact"
NOW = datetime(2026, 5, 1, tzinfo=UTC)
STARTED = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d")
FAILED = TaskFailed(cause=Cause.ERROR, message="broken")
ENDS = [TaskSucceeded(fence=1), FAILED, TaskCancelled(requested_by=1)]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def start(engine: Engine, key: str = KEY) -> bool:
    with engine.begin() as connection:
        return set_flag(connection, key, message="Please wait", associate_id=1, lasts=timedelta(minutes=5))


def take(engine: Engine, task_id: TaskId, key: str = KEY) -> bool:
    with engine.begin() as connection:
        return take_flag(connection, key, task_id)


def give_back(engine: Engine, task_id: TaskId) -> None:
    with engine.begin() as connection:
        give_back_flag(connection, task_id)


def standing(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return standing_flags(connection, "UDefRebuild")


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        query = "SELECT (SELECT count(*) FROM crm7.systemevent) + (SELECT count(*) FROM batchtask.task_flag)"
        return int(connection.execute(text(query)).scalar_one())


def tidy(engine: Engine) -> None:
    with engine.begin() as connection:
        remove_flags_that_are_over(connection)


def grow_old(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE batchtask.task_flag SET set_at = set_at - interval '11 minutes'"))


def happen(engine: Engine, task_id: TaskId, *events: Event) -> None:
    store = EventStore(engine)
    version = len(list(store.load(task_id))) - 1
    assert not store.append_many([Append(task_id, version, list(events), NOW)])


@pytest.fixture
def task_id(engine: Engine) -> TaskId:
    """A task that runs and has the flag."""
    task_id = new_task_id()
    start(engine)
    take(engine, task_id)
    happen(engine, task_id, TaskSubmitted(name="publish-udef"), STARTED)
    return task_id


def test_a_flag_stands_for_as_long_as_its_task_runs_however_long_that_is(engine: Engine, task_id: TaskId) -> None:
    grow_old(engine)
    tidy(engine)
    assert standing(engine) == [KEY]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_a_flag_is_over_in_the_moment_its_task_ends_and_tidied_up_afterwards(
    engine: Engine, task_id: TaskId, end: Event
) -> None:
    happen(engine, task_id, end)
    assert standing(engine) == []
    happen(engine, task_id, TaskAmended(requested_by=1, response="Seen."))
    assert standing(engine) == []
    tidy(engine)
    assert rows(engine) == 0


def test_a_flag_given_to_its_task_before_submission_is_over_if_the_task_is_cancelled_before_it_began(
    engine: Engine,
) -> None:
    task_id = new_task_id()
    start(engine)
    take(engine, task_id)  # what `udef.publishing.submitting` does
    happen(engine, task_id, TaskSubmitted(name="publish-udef"), TaskCancelled(requested_by=1))
    assert standing(engine) == []


def test_a_flag_that_its_task_would_have_taken_when_it_began_stands_until_it_runs_out(engine: Engine) -> None:
    start(engine)
    happen(engine, new_task_id(), TaskSubmitted(name="publish-udef"), TaskCancelled(requested_by=1))
    assert standing(engine) == [KEY]
    grow_old(engine)
    assert standing(engine) == []


def test_whoever_projects_the_end_of_a_task_tidies_up(engine: Engine, task_id: TaskId) -> None:
    happen(engine, task_id, FAILED)
    Projector(engine).project(EventStore(engine).load(task_id))
    assert rows(engine) == 0


def test_a_late_projector_leaves_the_flag_of_a_task_that_was_begun_anew(engine: Engine, task_id: TaskId) -> None:
    happen(engine, task_id, FAILED)
    end = EventStore(engine).load(task_id)
    happen(engine, task_id, TaskReplayed(requested_by=1, due_at=NOW))
    Projector(engine).project(end)
    assert standing(engine) == [KEY]


def test_a_flag_that_no_task_takes_runs_out(engine: Engine) -> None:
    assert start(engine)
    assert standing(engine) == [KEY]
    grow_old(engine)
    assert standing(engine) == []
    tidy(engine)
    assert rows(engine) == 0


def test_a_flag_whose_task_was_never_heard_of_runs_out(engine: Engine) -> None:
    start(engine)
    take(engine, new_task_id())
    assert standing(engine) == [KEY]
    grow_old(engine)
    assert standing(engine) == []


def test_a_flag_is_given_back_where_submitting_failed_but_not_by_a_task_that_came_after_all(engine: Engine) -> None:
    start(engine)
    failed, came, other = (new_task_id() for _ in range(3))
    take(engine, failed)
    give_back(engine, failed)
    assert standing(engine) == [KEY]
    assert take(engine, came)
    happen(engine, came, STARTED)
    give_back(engine, came)
    assert not take(engine, other)


def test_setting_a_flag_again_begins_its_time_anew(engine: Engine) -> None:
    start(engine)
    grow_old(engine)
    assert start(engine)
    assert standing(engine) == [KEY]
    assert rows(engine) == 2


def test_the_flag_of_a_running_task_can_neither_be_set_nor_taken(engine: Engine, task_id: TaskId) -> None:
    assert not start(engine)
    assert not take(engine, new_task_id())
    assert take(engine, task_id)


def test_a_flag_left_by_a_task_that_has_ended_can_be_set_and_taken_by_another(
    engine: Engine, task_id: TaskId
) -> None:
    happen(engine, task_id, FAILED)
    assert start(engine)
    assert take(engine, new_task_id())


def test_a_flag_that_another_program_set_is_taken_but_never_runs_out(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO crm7.systemevent VALUES (900, 2, 0, :key, '', 0, NULL, now(), 1, now(), 1, 0)"),
            {"key": KEY},
        )
    tidy(engine)
    assert standing(engine) == [KEY]
    assert not start(engine)
    assert take(engine, new_task_id())


def test_flags_of_other_keys_are_others(engine: Engine, task_id: TaskId) -> None:
    assert start(engine, "UDefRebuildPerson")
    assert standing(engine) == [KEY, "UDefRebuildPerson"]
    with engine.begin() as connection:
        drop_flag(connection, KEY)
    assert standing(engine) == ["UDefRebuildPerson"]


def test_tidying_up_does_not_wait_for_a_zombie_that_holds_a_flag(engine: Engine, task_id: TaskId) -> None:
    with engine.connect() as zombie:
        take_flag(zombie, KEY, task_id)
        happen(engine, task_id, FAILED)
        tidy(engine)
        assert not start(engine)
    tidy(engine)
    assert rows(engine) == 0


def test_what_remains_of_a_flag_that_was_removed_by_hand_is_tidied_up(engine: Engine, task_id: TaskId) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM crm7.systemevent"))
    tidy(engine)
    assert rows(engine) == 0
