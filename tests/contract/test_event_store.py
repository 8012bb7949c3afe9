"""What holds for the event store, and for the fake that stands for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone

import pytest

from batchtask.database import make_engine
from batchtask.errors import SchemaMissing, StoreUnavailable, TaskNotFound, WrongExpectedVersion
from batchtask.events import CancelRequested, Event, HeartbeatRecorded, RecordedEvent, TaskSubmitted
from batchtask.identifiers import TaskId, new_task_id
from batchtask.local.processes import free_port
from batchtask.store import Append, EventStore
from batchtask.task_state import Phase
from tests.fakes import FakeEventStore

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
BEGIN = TaskSubmitted(name="noop", owner=7)

Store = EventStore | FakeEventStore


@pytest.fixture(scope="module", params=["fake", "real"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "fake":
        yield FakeEventStore()
        return
    databases: Callable[[], AbstractContextManager[str]] = request.getfixturevalue("databases")
    with databases() as url:
        engine = make_engine(url)
        yield EventStore(engine)
        engine.dispose()


def beats(*fences: int) -> list[Event]:
    return [HeartbeatRecorded(fence=fence) for fence in fences]


def stream_of(store: Store, *fences: int) -> TaskId:
    """Begin a stream and give it some events; return its id."""
    task_id = new_task_id()
    store.append(Append(task_id, -1, [BEGIN, *beats(*fences)], AT))
    return task_id


def fences_of(store: Store, task_id: TaskId) -> list[int]:
    """The events behind the first, by the number each carries; holds that versions have no gap."""
    events = store.load(task_id)
    assert [event.version for event in events] == list(range(len(events)))
    return [event.body.fence for event in events if isinstance(event.body, HeartbeatRecorded)]


def test_versions_run_from_zero_without_gaps(store: Store) -> None:
    task_id = new_task_id()

    store.append(Append(task_id, -1, [BEGIN, *beats(1, 2)], AT))
    recorded = store.append(Append(task_id, 2, beats(3), AT))

    assert recorded == [RecordedEvent(task_id, 3, AT, HeartbeatRecorded(fence=3))]
    assert store.load(task_id) == [
        RecordedEvent(task_id, 0, AT, BEGIN),
        *(RecordedEvent(task_id, fence, AT, HeartbeatRecorded(fence=fence)) for fence in (1, 2, 3)),
    ]


@pytest.mark.parametrize("expected_version", [-1, 0, 1, 3, 10])
def test_an_append_at_another_version_than_the_last_is_refused_whole(expected_version: int, store: Store) -> None:
    task_id = stream_of(store, 1, 2)

    with pytest.raises(WrongExpectedVersion) as refused:
        store.append(Append(task_id, expected_version, beats(8, 9), AT))

    assert (refused.value.task_id, refused.value.expected_version) == (str(task_id), expected_version)
    assert fences_of(store, task_id) == [1, 2]


def test_a_stream_cannot_begin_in_the_middle(store: Store) -> None:
    task_id = new_task_id()

    assert store.append_many([Append(task_id, 0, beats(1), AT)]) == {task_id}

    assert store.load(task_id) == []


def test_an_append_whose_first_place_is_taken_takes_no_later_one(store: Store) -> None:
    task_id = stream_of(store, 1)

    assert store.append_many([Append(task_id, 0, beats(7, 8, 9), AT)]) == {task_id}

    assert fences_of(store, task_id) == [1]


def test_an_append_repeated_is_refused(store: Store) -> None:
    append = Append(stream_of(store), 0, beats(1), AT)
    store.append(append)

    with pytest.raises(WrongExpectedVersion):
        store.append(append)


def test_nothing_to_append_is_no_conflict(store: Store) -> None:
    task_id = stream_of(store, 1, 2)

    assert store.append_many([Append(task_id, 2, [], AT), Append(new_task_id(), 5, [], AT)]) == set()
    assert store.append_many([]) == set()


def test_of_many_streams_those_in_conflict_are_named_and_the_others_written(store: Store) -> None:
    ids = [stream_of(store) for _ in range(5)]
    for task_id in ids[::2]:
        store.append(Append(task_id, 0, beats(1), AT))

    refused = store.append_many([Append(task_id, 0, beats(8, 9), AT) for task_id in ids])

    assert refused == set(ids[::2])
    assert [fences_of(store, task_id) for task_id in ids] == [[1], [8, 9], [1], [8, 9], [1]]


def test_first_events_are_written_where_they_are_missing(store: Store) -> None:
    missing, present = new_task_id(), stream_of(store, 1)
    other = TaskSubmitted(name="another", owner=8)

    refused = store.append_many([], ensure=[RecordedEvent(one, 0, AT, other) for one in (missing, present)])

    assert refused == set()
    assert [event.body for event in store.load(missing)] == [other]
    assert [event.body for event in store.load(present)] == [BEGIN, *beats(1)]


def test_a_stream_may_be_begun_and_continued_at_once(store: Store) -> None:
    missing, begun, further = new_task_id(), stream_of(store), stream_of(store, 1)
    ids = [missing, begun, further]

    refused = store.append_many(
        [Append(one, 0, beats(8, 9), AT) for one in ids], ensure=[RecordedEvent(one, 0, AT, BEGIN) for one in ids]
    )

    assert refused == {further}
    assert [fences_of(store, one) for one in ids] == [[8, 9], [8, 9], [1]]


def test_a_stream_that_is_begun_gets_no_hole_from_an_append_of_the_same_moment(store: Store) -> None:
    """The task was removed, or the database set back; its message and its attempt are in one batch."""
    task_id = new_task_id()

    refused = store.append_many([Append(task_id, 5, beats(1), AT)], ensure=[RecordedEvent(task_id, 0, AT, BEGIN)])

    assert refused == {task_id}
    assert [event.version for event in store.load(task_id)] == [0]


def test_loading_begins_behind_a_version(store: Store) -> None:
    first, second = stream_of(store, 1, 2, 3), stream_of(store)

    assert [event.version for event in store.load(first, after=1)] == [2, 3]
    assert store.load(first, after=3) == []
    found = store.load_many({first: 2, second: -1, TaskId(new_task_id()): -1})
    assert [[event.version for event in events] for events in found.values()] == [[3], [0], []]
    assert store.load_many({}) == {}


def test_the_state_is_the_fold_of_the_stream(store: Store) -> None:
    task_id = stream_of(store, 1)

    state = store.state(task_id)

    assert (state.version, state.phase, state.owner) == (1, Phase.QUEUED, 7)
    with pytest.raises(TaskNotFound):
        store.state(new_task_id())


def test_all_streams_come_whole_and_once_in_pages(store: Store) -> None:
    ids = {stream_of(store, 1, 2) for _ in range(7)}

    pages = list(store.streams(page_size=3))

    assert all(len(page) <= 3 for page in pages)
    found = [task_id for page in pages for task_id in page]
    assert len(found) == len(set(found))
    assert ids <= set(found)
    assert all(len(events) == 3 for page in pages for task_id, events in page.items() if task_id in ids)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("nul \0 inside", "nul � inside"),
        ("\\u0000 spelt out", "\\u0000 spelt out"),
        ("\\\0", "\\�"),
        ("\0\0", "��"),
        ('"quoted" \\ \n \t', '"quoted" \\ \n \t'),
        ("Ærøskøbing 😀 \u2028", "Ærøskøbing 😀 \u2028"),
        ("100 % of %s", "100 % of %s"),
    ],
)
def test_any_text_is_kept_but_for_what_no_database_stores(given: str, kept: str, store: Store) -> None:
    task_id = new_task_id()

    store.append(
        Append(task_id, -1, [TaskSubmitted(name="noop", parameters={given: [given]}, description=given)], AT)
    )

    [event] = store.load(task_id)
    assert event.body == TaskSubmitted(name="noop", parameters={kept: [kept]}, description=kept)


def test_times_are_kept_to_the_microsecond_whatever_their_zone(store: Store) -> None:
    task_id = new_task_id()
    at = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    store.append(Append(task_id, -1, [BEGIN], at))

    assert store.load(task_id)[0].occurred_at == AT


def test_of_many_writers_at_once_exactly_one_wins_each_version(store: Store) -> None:
    task_id = stream_of(store)
    wins: list[int] = []

    def write(writer: int, barrier: threading.Barrier) -> None:
        for version in range(10):
            barrier.wait()
            if not store.append_many([Append(task_id, version, beats(writer), AT)]):
                wins.append(writer)

    race(write, writers=4)

    assert len(wins) == 10
    assert fences_of(store, task_id) == wins


def test_of_many_writers_that_begin_a_stream_at_once_exactly_one_goes_on(store: Store) -> None:
    ids = [new_task_id() for _ in range(10)]
    wins: list[tuple[TaskId, int]] = []

    def write(writer: int, barrier: threading.Barrier) -> None:
        for task_id in ids:
            begin = RecordedEvent(task_id, 0, AT, TaskSubmitted(name="noop", owner=writer))
            barrier.wait()
            if not store.append_many([Append(task_id, 0, beats(writer), AT)], ensure=[begin]):
                wins.append((task_id, writer))

    race(write, writers=3)

    assert [task_id for task_id, _ in wins] == ids
    assert [fences_of(store, task_id) for task_id in ids] == [[writer] for _, writer in wins]


def test_writers_of_the_same_streams_in_any_order_never_block_each_other(store: Store) -> None:
    ids = [new_task_id() for _ in range(50)]
    answers: dict[tuple[int, int], set[TaskId]] = {}

    def write(writer: int, barrier: threading.Barrier) -> None:
        order = ids if writer % 2 else ids[::-1]
        for version in range(8):
            barrier.wait()
            answers[writer, version] = store.append_many(
                [Append(task_id, version, [CancelRequested(requested_by=writer)], AT) for task_id in order],
                ensure=[RecordedEvent(task_id, 0, AT, BEGIN) for task_id in order],
            )

    race(write, writers=2)

    for version in range(8):
        assert answers[0, version] | answers[1, version] == set(ids)
        assert answers[0, version] & answers[1, version] == set()
    assert {len(store.load(task_id)) for task_id in ids} == {9}


def race(write: Callable[[int, threading.Barrier], None], *, writers: int) -> None:
    barrier = threading.Barrier(writers, timeout=20)
    errors: list[BaseException] = []

    def run(writer: int) -> None:
        try:
            write(writer, barrier)
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_server_that_is_away_is_told_as_such() -> None:
    engine = make_engine(f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none")
    store = EventStore(engine)
    task_id = new_task_id()
    begin = RecordedEvent(task_id, 0, AT, BEGIN)

    for ask in (
        lambda: store.append(Append(task_id, -1, [BEGIN], AT)),
        lambda: store.append_many([], ensure=[begin]),
        lambda: store.load(task_id),
        lambda: store.state(task_id),
        lambda: list(store.streams()),
    ):
        with pytest.raises(StoreUnavailable) as told:
            ask()
        assert "secret" not in str(told.value)


def test_a_database_without_our_tables_is_told_as_such(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)

    with pytest.raises(SchemaMissing):
        EventStore(engine).load(new_task_id())

    engine.dispose()
