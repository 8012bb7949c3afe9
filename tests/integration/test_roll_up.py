"""The minutes that charts are drawn from say what the events say, whoever sums them up and however often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, insert, select, text, update

from batchtask.database import make_engine
from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    Event,
    PassCompleted,
    RetryScheduled,
    TaskCancelled,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.identifiers import TaskId, new_task_id
from batchtask.outcomes import Cause
from batchtask.store import Append, EventStore
from batchtask.tables import event as event_table
from batchtask.tables_statistics import minute_statistics, statistics_progress
from projections.roll_up import KEPT, PAUSE_SECONDS, SHARE, RollUp
from projections.statistics import ALL


@pytest.fixture(scope="module")
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    with databases() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(autouse=True)
def nothing_happened_yet(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in (event_table, minute_statistics, statistics_progress):
            connection.execute(delete(table))


class Book:
    """Writes streams whose events were recorded when they happened, and sums them up."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.roll_up = RollUp(engine)
        self.noon = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)

    def happened(self, *events: tuple[float, Event], task_id: TaskId | None = None, after: int = -1) -> TaskId:
        """Record events at so many seconds after noon, each."""
        task_id = task_id or new_task_id()
        for version, (seconds, body) in enumerate(events, after + 1):
            at = self.noon + timedelta(seconds=seconds)
            EventStore(self.engine).append(Append(task_id, version - 1, [body], at))
            with self.engine.begin() as connection:
                mine = (event_table.c.task_id == task_id) & (event_table.c.version == version)
                connection.execute(update(event_table).where(mine).values(recorded_at=at))
        return task_id

    def sum_up(self) -> None:
        """Sum up all there is, without waiting for the time to come."""
        for _ in range(100):
            self.come_again_now()
            self.roll_up.run()
            with self.engine.connect() as connection:
                age = func.now() - select(statistics_progress.c.final_until).scalar_subquery()
                behind: timedelta = connection.execute(select(age)).scalar_one()  # type: ignore[assignment]
                if behind < timedelta(minutes=3):
                    return
        raise AssertionError("never came to the present")

    def come_again_now(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(statistics_progress).values(next_at=func.now()))

    def minutes(self, name: str = ALL) -> dict[int, dict[str, Any]]:
        """What was summed up, by minutes after noon."""
        query = select(minute_statistics).where(minute_statistics.c.name == name)
        with self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return {round((row["minute"] - self.noon).total_seconds() / 60): dict(row) for row in rows}


@pytest.fixture
def book(engine: Engine) -> Book:
    return Book(engine)


def submitted(name: str = "sleep", **fields: Any) -> TaskSubmitted:
    return TaskSubmitted(name=name, **fields)


def started(fence: int = 1) -> AttemptStarted:
    return AttemptStarted(attempt=fence, fence=fence, worker="host/1/a", delivery_id="m")


def tally(minute: dict[str, Any]) -> tuple[int, int, int, int]:
    return minute["submitted"], minute["succeeded"], minute["failed"], minute["cancelled"]


def test_a_task_is_counted_in_the_minutes_in_which_things_happened(book: Book) -> None:
    book.happened((10, submitted()), (70, started()), (130, TaskSucceeded(fence=1)))

    book.sum_up()

    found = book.minutes()
    assert {minute: tally(row) for minute, row in found.items()} == {
        0: (1, 0, 0, 0),
        1: (0, 0, 0, 0),
        2: (0, 1, 0, 0),
    }
    assert (found[1]["waits"], found[1]["wait_seconds"], found[1]["longest_wait_seconds"]) == (1, 60, 60)
    assert (found[2]["runs"], found[2]["run_seconds"], found[2]["longest_run_seconds"]) == (1, 60, 60)


def test_definitions_are_counted_each_and_together(book: Book) -> None:
    for name in ("sleep", "sleep", "report"):
        book.happened((1, submitted(name)), (2, started()), (4, TaskSucceeded(fence=1)))

    book.sum_up()

    assert {name: tally(book.minutes(name)[0]) for name in ("sleep", "report", ALL)} == {
        "sleep": (2, 2, 0, 0),
        "report": (1, 1, 0, 0),
        ALL: (3, 3, 0, 0),
    }
    assert book.minutes()[0]["run_seconds"] == pytest.approx(6)


def test_ends_are_told_apart(book: Book) -> None:
    book.happened((1, submitted()), (2, TaskFailed(cause=Cause.REJECTED, message="no")))
    book.happened((1, submitted()), (2, TaskCancelled(requested_by=7)))

    book.sum_up()

    assert tally(book.minutes()[0]) == (2, 0, 1, 1)


def test_only_the_first_attempt_has_waited(book: Book) -> None:
    book.happened(
        (0, submitted()),
        (5, started(1)),
        (8, AttemptFailed(fence=1, cause=Cause.ERROR, message="again")),
        (8, RetryScheduled(due_at=book.noon, cause=Cause.ERROR, failures=1)),
        (40, started(2)),
        (41, TaskSucceeded(fence=2)),
    )

    book.sum_up()

    row = book.minutes()[0]
    assert (row["waits"], row["wait_seconds"]) == (1, 5)
    assert (row["runs"], row["run_seconds"], row["longest_run_seconds"]) == (2, 4, 3)


def test_a_task_for_later_waits_from_the_time_it_is_due(book: Book) -> None:
    due_at = book.noon + timedelta(seconds=100)
    book.happened((0, submitted(start_at=due_at)), (103, started()))

    book.sum_up()

    assert book.minutes()[1]["wait_seconds"] == 3


def test_a_submitter_whose_clock_is_ahead_makes_no_negative_wait(book: Book) -> None:
    book.happened((50, submitted()), (20, started()))

    book.sum_up()

    assert book.minutes()[0]["wait_seconds"] == 0


def test_passes_and_interrupted_attempts_have_run_and_lost_ones_are_left_out(book: Book) -> None:
    book.happened((0, submitted()), (1, started(1)), (3, PassCompleted(fence=1, due_at=book.noon)), (4, started(2)))
    book.happened((0, submitted()), (1, started(1)), (5, AttemptInterrupted(fence=1)))
    book.happened((0, submitted()), (1, started(1)), (59, AttemptLost(fence=1)))

    book.sum_up()

    row = book.minutes()[0]
    assert (row["runs"], row["run_seconds"]) == (2, 6)


def test_what_began_long_before_is_found(book: Book) -> None:
    task_id = book.happened((-3 * 3600, submitted("report")), (-2 * 3600, started()))
    book.sum_up()

    book.happened((30 * 60, TaskSucceeded(fence=1)), task_id=task_id, after=1)
    with book.engine.begin() as connection:
        connection.execute(update(statistics_progress).values(final_until=book.noon))
    book.sum_up()

    row = book.minutes("report")[30]
    assert tally(row) == (0, 1, 0, 0)
    assert row["run_seconds"] == 2.5 * 3600


def test_summing_up_again_changes_nothing(book: Book) -> None:
    book.happened((10, submitted()), (70, started()), (130, TaskSucceeded(fence=1)))
    book.sum_up()
    before = book.minutes()

    with book.engine.begin() as connection:
        connection.execute(update(statistics_progress).values(final_until=book.noon - timedelta(hours=1)))
    book.sum_up()

    assert book.minutes() == before


def test_the_minute_that_is_not_over_grows(book: Book) -> None:
    ages = [(-timedelta(seconds=1)), timedelta(0)]
    book.sum_up()
    for age in ages:
        book.noon = datetime.now(UTC) + age
        book.happened((0, submitted()))
        book.come_again_now()
        book.roll_up.run()

    with book.engine.connect() as connection:
        total = select(func.sum(minute_statistics.c.submitted)).where(minute_statistics.c.name == ALL)
        assert connection.execute(total).scalar_one() == 2


def test_what_was_recorded_in_a_long_transaction_is_not_missed(book: Book) -> None:
    """An event is as old as the beginning of its transaction, and is seen only at its end."""
    task_id = new_task_id()
    with book.engine.connect() as connection:
        values = {
            "task_id": task_id,
            "version": 0,
            "type": "TaskSubmitted",
            "schema_version": 1,
            "data": {"name": "s"},
        }
        connection.execute(insert(event_table).values(**values, occurred_at=func.now()))
        book.roll_up.run()
        connection.commit()
    book.come_again_now()

    book.roll_up.run()

    with book.engine.connect() as connection:
        assert connection.execute(select(minute_statistics.c.submitted)).scalars().all() == [1, 1]


def test_of_many_processes_one_does_the_work(book: Book) -> None:
    book.happened((10, submitted()), (70, started()))
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        pauses = list(pool.map(lambda _: RollUp(book.engine).run(), range(8)))
    longest = PAUSE_SECONDS + (SHARE + 1) * (time.monotonic() - began)  # a slow pass is followed by a long pause

    assert all(0 < pause <= longest for pause in pauses)
    assert tally(book.minutes()[0]) == (1, 0, 0, 0)


def test_who_comes_too_early_is_sent_away(book: Book) -> None:
    book.roll_up.run()
    book.happened((10, submitted()))

    assert 0 < book.roll_up.run() <= PAUSE_SECONDS
    assert book.minutes() == {}


def test_nobody_waits_while_another_sums_up(book: Book) -> None:
    with book.engine.connect() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(7243003)"))
        assert book.roll_up.run() == PAUSE_SECONDS
    with book.engine.connect() as connection:
        assert connection.execute(select(statistics_progress)).all() == []


def test_history_is_caught_up_with_without_pauses_in_between(book: Book) -> None:
    book.happened((-9 * 3600, submitted()), (-9 * 3600 + 5, started()))
    book.happened((10, submitted()))

    assert book.roll_up.run() < PAUSE_SECONDS
    book.sum_up()

    assert {minute: tally(row) for minute, row in book.minutes().items()} == {-540: (1, 0, 0, 0), 0: (1, 0, 0, 0)}


def test_minutes_are_forgotten_after_a_fortnight(book: Book) -> None:
    zeros = {column.name: 0 for column in minute_statistics.columns if column.name not in {"name", "minute"}}
    for age in (KEPT + timedelta(minutes=2), KEPT - timedelta(hours=1)):
        with book.engine.begin() as connection:
            connection.execute(insert(minute_statistics).values(name=ALL, minute=datetime.now(UTC) - age, **zeros))

    book.sum_up()

    assert len(book.minutes()) == 1
