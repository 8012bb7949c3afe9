"""However events arrive (repeated, out of order, in pieces, at two projectors at once), the rows are the same."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text

from batchtask.events import Event, HeartbeatRecorded, RecordedEvent, TaskSubmitted
from batchtask.identifiers import TaskId, new_task_id
from batchtask.store import Append, EventStore, first_event, storable
from batchtask.tables import batchtask, task_number
from projections.projector import Projector, upsert_statement
from projections.queries import Queries
from projections.rebuild import Rebuild, Rebuilt
from projections.rows import Row, fold_row
from tests.desks import BEGAN, command
from tests.histories import LONG, carried_out, chosen

History = list[RecordedEvent]

CHOICES = st.lists(st.integers(0, 1000), max_size=12)
STOPPING = ["claim", "progress", "cancel", "cancel noticed", "heartbeat"]


def submission(owner: int) -> RecordedEvent:
    """The first event of a task; some shall start later, some cannot be cancelled."""
    return first_event(
        command(
            name=f"task-{owner % 3}",
            owner=owner,
            description=LONG,
            request="r \0",
            start_at=BEGAN + timedelta(hours=owner) if owner % 4 == 3 else None,
            cancellation=owner % 3,
        )
    )


def history_of(choices: Sequence[int], owner: int) -> History:
    """A history as it may really come about: every event was decided."""
    first = submission(owner)
    return placed(first, chosen(first.body, choices))


def history_by(names: Sequence[str], owner: int) -> History:
    first = submission(owner)
    return placed(first, carried_out(first.body, names))


def placed(first: RecordedEvent, bodies: Sequence[Event]) -> History:
    return [
        RecordedEvent(first.task_id, version, first.occurred_at + timedelta(seconds=1.5 * version), body)
        for version, body in enumerate(bodies)
    ]


def keep(store: EventStore, histories: Iterable[History]) -> None:
    """Bring whole streams into the store."""
    refused = store.append_many(
        [
            Append(TaskId(events[0].task_id), -1, [event.body for event in events], events[0].occurred_at)
            for events in histories
        ]
    )
    assert refused == set()


def stored(store: EventStore, histories: Iterable[History]) -> list[History]:
    """The histories as the store gives them back, which is what gets announced."""
    return list(store.load_many({TaskId(events[0].task_id): -1 for events in histories}).values())


def rows(engine: Engine, ids: Iterable[object]) -> dict[object, dict[str, Any]]:
    """Rows by task, the time of the last start as an instant again."""
    started = func.timezone(func.current_setting("TimeZone"), batchtask.c.laststarted).label("started")
    query = select(batchtask, started).where(batchtask.c.task_id.in_(ids))
    with engine.connect() as connection:
        return {row["task_id"]: dict(row) for row in connection.execute(query).mappings()}


def expected_row(events: History) -> dict[str, Any]:
    row = fold_row(None, events)
    assert row is not None
    return {name: kept(getattr(row, name)) for name in Row.__struct_fields__ if name != "name"}


def kept(value: object) -> object:
    return value.replace("\0", "�") if isinstance(value, str) else value


def assert_rows_are_folds(engine: Engine, histories: Sequence[History]) -> None:
    found = rows(engine, [events[0].task_id for events in histories])
    for events in histories:
        row = found[events[0].task_id]
        expected = expected_row(events)
        expected["started"] = expected.pop("laststarted")
        assert {name: row[name] for name in expected} == expected
    numbers = {row["batchtask_id"] for row in found.values()}
    assert len(numbers) == len(histories)


@pytest.fixture(scope="module")
def projectors(engine: Engine) -> tuple[Projector, Projector]:
    return Projector(engine), Projector(engine)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices=st.lists(CHOICES, min_size=8, max_size=8), chance=st.randoms(use_true_random=False))
def test_any_order_repetition_and_split_of_events_gives_the_same_rows(
    choices: list[list[int]],
    chance: random.Random,
    store: EventStore,
    engine: Engine,
    projectors: tuple[Projector, Projector],
) -> None:
    histories = [history_of(one, owner) for owner, one in enumerate(choices)]
    # Chance alone seldom leaves a task running that was asked to stop.
    histories += [history_by(STOPPING, 9), history_by([*STOPPING, "cancelled"], 10)]
    # Where nothing but the submission happened, the projector may be the first to record it.
    keep(store, [events for events in histories if len(events) > 1 or chance.random() < 0.5])
    news = list(chain.from_iterable(stored(store, histories)))
    submissions = [events[0] for events in histories]
    arrivals = (
        [*news, *chance.choices(news, k=len(news) // 2), *submissions, *submissions[:2]] if news else submissions
    )
    chance.shuffle(arrivals)

    for batch in in_pieces(arrivals, chance):
        submitted = [event for event in batch if isinstance(event.body, TaskSubmitted)]
        events = [event for event in batch if event.version or (event in news and chance.random() < 0.5)]
        chance.choice(projectors).project(events, submitted=submitted)

    assert_rows_are_folds(engine, stored(store, histories))


def in_pieces(arrivals: list[RecordedEvent], chance: random.Random) -> Iterator[list[RecordedEvent]]:
    while arrivals:
        size = chance.randint(1, 12)
        yield arrivals[:size]
        arrivals = arrivals[size:]


FULL = ["claim when due", "progress", "heartbeat", "lost", "claim", "progress", "succeeded"]
#: Every kind of wait, twice by way of an end.
LONG_WAY = [
    *("claim for a lease", "progress", "snoozed", "release", "claim", "passed", "release"),
    *("claim that cannot run it", "claim when due", "failed for now", "defer", "cancel"),
    *("replay", "release", "claim", "timed out", "reject", "replay with parameters", "claim when due", "expire"),
    *("release", "claim", "cancel", "cancel noticed", "killed"),
]


def test_a_task_that_waits_in_every_way_has_the_row_of_its_fold_after_each_event(
    store: EventStore, engine: Engine
) -> None:
    histories = [history_by(LONG_WAY, 1)]
    keep(store, histories)
    [events] = stored(store, histories)
    projector = Projector(engine)

    for length in range(1, len(events) + 1):
        projector.project(events[length - 1 : length], submitted=events[:1] if length == 1 else [])
        assert_rows_are_folds(engine, [events[:length]])


def test_a_wish_to_stop_is_read_from_the_row_while_the_task_runs_and_no_longer(
    store: EventStore, engine: Engine
) -> None:
    histories = [history_by([*STOPPING, "cancelled", "replay", "release", "claim", "cancel by force"], 1)]
    keep(store, histories)
    [events] = stored(store, histories)
    task_id = events[0].task_id
    projector = Projector(engine)
    seen = []

    for event in events:
        projector.project([event], submitted=events[:1] if event is events[0] else [])
        seen.append((type(event.body).__name__, rows(engine, [task_id])[task_id]["stopping"]))

    assert [name for name, stopping in seen if stopping] == [
        *("CancelRequested", "CancelNoticed", "HeartbeatRecorded", "CancelRequested")
    ]
    assert seen[-1] == ("CancelRequested", True)


def test_a_rebuild_mends_what_a_row_says_of_a_wish_to_stop(store: EventStore, engine: Engine) -> None:
    """A projector of the release before, which has no such column, left one out and never took back the other."""
    histories = [history_by(STOPPING, 1), history_by([*STOPPING, "cancelled"], 1)]
    keep(store, histories)
    histories = stored(store, histories)
    Projector(engine).project(chain.from_iterable(histories))
    Rebuild(engine).run()
    ids = [events[0].task_id for events in histories]
    before = rows(engine, ids)
    assert [before[task_id]["stopping"] for task_id in ids] == [True, False]
    with engine.begin() as connection:
        wrong = batchtask.update().values(stopping=~batchtask.c.stopping)
        connection.execute(wrong.where(batchtask.c.task_id.in_(ids)))

    assert Rebuild(engine).run().different == 2

    assert rows(engine, ids) == before


def test_a_projector_of_the_release_before_writes_rows_of_which_reads_believe_no_more_than_is_true(
    store: EventStore, engine: Engine
) -> None:
    histories = [history_by([*STOPPING, "cancelled"], 1)]
    keep(store, histories)
    [events] = stored(store, histories)
    task_id = TaskId(events[0].task_id)
    Projector(engine).project(events[1:-1], submitted=events[:1])
    assert Queries(engine).task(task_id).stopping

    write_as_before(engine, events)

    assert rows(engine, [task_id])[task_id]["stopping"]  # what it does not know, it leaves
    assert not Queries(engine).task(task_id).stopping


def write_as_before(engine: Engine, events: History) -> None:
    """Write the row of a task as a projector did that knows nothing of the column `stopping`."""
    row = fold_row(None, events)
    assert row is not None
    number = rows(engine, [row.task_id])[row.task_id]["batchtask_id"]
    statement = upsert_statement("crm7.batchtask").replace(", stopping = EXCLUDED.stopping", "")
    statement = statement.replace(", stopping boolean", "").replace(", stopping", "")
    assert "stopping" not in statement
    body = msgspec.json.encode([msgspec.structs.asdict(row) | {"batchtask_id": number}])
    with engine.begin() as connection:
        connection.exec_driver_sql(statement, (storable(body),))


def test_a_gap_is_filled_from_the_store(store: EventStore, engine: Engine) -> None:
    histories = [history_by(FULL, 1)]
    keep(store, histories)
    [events] = stored(store, histories)
    assert len(events) > 6

    Projector(engine).project([events[-1]])

    assert_rows_are_folds(engine, [events])


def test_events_that_are_known_already_change_nothing(store: EventStore, engine: Engine) -> None:
    histories = [history_by(FULL, 1)]
    keep(store, histories)
    [events] = stored(store, histories)
    projector = Projector(engine)
    projector.project(events)
    before = rows(engine, [events[0].task_id])

    for known in (events[:1], events[3:5], events[:-1], events):
        projector.project(known, submitted=events[:1])

    assert rows(engine, [events[0].task_id]) == before


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_a_second_submission_with_other_content_changes_neither_stream_nor_row(
    together: bool, store: EventStore, engine: Engine
) -> None:
    task_id = new_task_id()
    first = first_event(command(task_id, description="first"))
    second = first_event(command(task_id, name="other", description="second", submitted_at=BEGAN + timedelta(days=1)))
    projector = Projector(engine)

    if together:
        projector.project([], submitted=[first, second])
    else:
        projector.project([], submitted=[first])
        projector.project([], submitted=[second])

    assert store.load(task_id) == [first]
    assert_rows_are_folds(engine, [[first]])


def test_a_submission_that_a_worker_recorded_otherwise_gives_way(store: EventStore, engine: Engine) -> None:
    task_id = new_task_id()
    recorded, late = (first_event(command(task_id, description=text)) for text in ("recorded", "late"))
    store.append_many([], ensure=[recorded])

    Projector(engine).project([], submitted=[late])

    assert_rows_are_folds(engine, [[recorded]])


def test_events_of_an_unknown_task_make_no_row(engine: Engine) -> None:
    """The database was set back to an older backup than the broker's news."""
    lost = RecordedEvent(new_task_id(), 3, BEGAN, HeartbeatRecorded(fence=1))

    Projector(engine).project([lost])

    assert rows(engine, [lost.task_id]) == {}


def test_two_projectors_at_once_never_block_each_other(store: EventStore, engine: Engine) -> None:
    histories = [history_by(FULL, owner) for owner in range(60)]
    keep(store, histories[:40])
    events = list(chain.from_iterable(stored(store, histories[:40])))
    submissions = [one[0] for one in histories]
    barrier = threading.Barrier(2, timeout=20)
    errors: list[BaseException] = []

    def project(order: int) -> None:
        projector = Projector(engine)
        try:
            for start in range(0, len(events), 40):
                barrier.wait()
                batch = events[start : start + 40][::order]
                projector.project(batch, submitted=submissions[::order])
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=project, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert_rows_are_folds(engine, stored(store, histories))


def test_a_rebuild_mends_rows_and_keeps_numbers(store: EventStore, engine: Engine) -> None:
    histories = [history_by(FULL[:length], owner) for owner, length in enumerate(range(8))]
    keep(store, histories)
    histories = stored(store, histories)
    Projector(engine).project(chain.from_iterable(histories))
    Rebuild(engine).run()
    before = rows(engine, [events[0].task_id for events in histories])
    missing, different, orphaned = histories[1][0].task_id, histories[2][0].task_id, new_task_id()
    with engine.begin() as connection:
        connection.execute(batchtask.delete().where(batchtask.c.task_id == missing))
        connection.execute(batchtask.update().where(batchtask.c.task_id == different).values(response="wrong"))
        values = {**before[missing], "task_id": orphaned, "batchtask_id": 2**31 - 1}
        connection.execute(batchtask.insert().values({column.name: values[column.name] for column in batchtask.c}))

    rebuilt = Rebuild(engine).run()

    assert (rebuilt.missing, rebuilt.different, rebuilt.orphaned) == (1, 1, 1)
    assert rows(engine, before) == before
    assert rows(engine, [orphaned]) == {}


def test_a_rebuild_of_right_rows_changes_nothing(engine: Engine) -> None:
    """After all that the tests above have done to this database."""
    tasks = Rebuild(engine).run().tasks

    assert Rebuild(engine).run() == Rebuilt(tasks=tasks, missing=0, different=0, orphaned=0)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(batchtask)).scalar() == tasks
        odd = select(batchtask.c.task_id).join(task_number, batchtask.c.task_id == task_number.c.task_id)
        assert connection.execute(odd.where(batchtask.c.batchtask_id != task_number.c.batchtask_id)).all() == []
        assert connection.execute(text("SELECT to_regclass('batchtask.batchtask_rebuild')")).scalar() is None


def test_a_rebuild_while_projectors_work_loses_no_news(store: EventStore, engine: Engine) -> None:
    histories = [history_by(FULL, owner) for owner in range(100)]
    keep(store, histories)
    histories = stored(store, histories)
    ended = threading.Event()

    def rebuild() -> None:
        while not ended.is_set():
            Rebuild(engine).run()

    rebuilding = threading.Thread(target=rebuild)
    rebuilding.start()
    projector = Projector(engine)
    for version in range(max(map(len, histories))):
        projector.project(event for events in histories for event in events[version : version + 1])
    ended.set()
    rebuilding.join()

    assert_rows_are_folds(engine, histories)


def test_the_time_of_the_last_start_is_local_time_of_the_database(store: EventStore, engine: Engine) -> None:
    histories = [history_by(["claim"], 1)]
    keep(store, histories)
    [events] = stored(store, histories)

    Projector(engine).project(events)

    [row] = rows(engine, [events[0].task_id]).values()
    with engine.connect() as connection:
        zone = connection.execute(text("SELECT current_setting('TimeZone')")).scalar_one()
        local = connection.execute(select(func.timezone(zone, events[1].occurred_at))).scalar_one()
    assert isinstance(row["laststarted"], datetime)
    assert row["laststarted"] == local
