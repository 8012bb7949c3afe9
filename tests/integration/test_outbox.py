"""Submitting within a transaction: with the caller's data or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from batchtask import envelope
from batchtask.database import make_engine
from batchtask.definitions import CancellationBehaviour, Registry, TaskContext, task
from batchtask.errors import InvalidParameters, SchemaMissing, UnknownTask
from batchtask.events import TaskSubmitted
from batchtask.identifiers import TaskId, new_task_id
from batchtask.messages import SubmitTask
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from batchtask.store import EventStore, first_event
from batchtask.tables import outbox as outbox_table
from batchtask.topology import LATER_KEY, SUBMIT_KEY
from producer.outbox import Outbox, Transaction
from tests.contract.test_producers import ReportParameters
from tests.polling import eventually


@task("report", cancellation=CancellationBehaviour.CannotCancel)
def report(context: TaskContext, parameters: ReportParameters) -> None:
    """Print a report."""


REGISTRY = Registry([report])
REPORT = {"selection_id": 88}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(Settings(), registry=REGISTRY)


@pytest.fixture(params=["connection", "session"])
def transaction(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Transaction]:
    """A transaction of a web tier's, in both shapes."""
    shape: type[Connection] | type[Session] = {"connection": Connection, "session": Session}[request.param]
    with shape(engine) as transaction:
        yield transaction


def rows(engine: Engine, *task_ids: TaskId) -> Sequence[Any]:
    query = select(outbox_table).where(outbox_table.c.task_id.in_(task_ids)).order_by(outbox_table.c.id)
    with engine.connect() as connection:
        return connection.execute(query).all()


def lock_waits(engine: Engine) -> int:
    """How many transactions wait for another one's end."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def read(row: Any) -> SubmitTask:
    command = envelope.decode_command(row.body).command
    assert isinstance(command, SubmitTask)
    return command


def test_a_commit_leaves_the_first_event_and_one_message_to_publish(
    outbox: Outbox, transaction: Transaction, store: EventStore
) -> None:
    task_id = outbox.submit(transaction, "report", REPORT, owner=7, description="Sales", traceparent=TRACEPARENT)
    transaction.commit()

    [row] = rows(store.engine, task_id)
    command = read(row)
    assert (command.id, command.name, command.owner, command.parameters) == (task_id, "report", 7, REPORT)
    assert command.cancellation == CancellationBehaviour.CannotCancel
    assert row.routing_key == SUBMIT_KEY
    assert envelope.decode_command(row.body).traceparent == TRACEPARENT
    assert store.load(task_id) == [first_event(command)]


def test_nobody_sees_anything_before_the_commit_and_nothing_is_left_after_a_rollback(
    outbox: Outbox, transaction: Transaction, store: EventStore
) -> None:
    task_id = outbox.submit(transaction, "report", REPORT)
    assert (store.load(task_id), rows(store.engine, task_id)) == ([], [])

    transaction.rollback()
    assert (store.load(task_id), rows(store.engine, task_id)) == ([], [])


def test_it_is_committed_together_with_the_callers_own_data(outbox: Outbox, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id int PRIMARY KEY, task_id uuid)"))
    with Session(engine) as session, session.begin():
        task_id = outbox.submit(session, "report", REPORT)
        session.execute(text("INSERT INTO orders VALUES (1, :task_id)"), {"task_id": task_id})

    with pytest.raises(ZeroDivisionError), Session(engine) as session, session.begin():
        other = outbox.submit(session, "report", REPORT)
        session.execute(text("INSERT INTO orders VALUES (2, :task_id)"), {"task_id": other})
        _ = 1 / 0

    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM orders")).all() == [(1, task_id)]
    assert [row.task_id for row in rows(engine, task_id, other)] == [task_id]


def test_a_savepoint_that_is_rolled_back_takes_its_task_with_it(outbox: Outbox, engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        kept = outbox.submit(session, "report", REPORT)
        nested = session.begin_nested()
        gone = outbox.submit(session, "report", REPORT)
        nested.rollback()

    assert [row.task_id for row in rows(engine, kept, gone)] == [kept]


def test_an_async_session_submits_by_its_run_sync(outbox: Outbox, database_url: str) -> None:
    async def submit() -> TaskId:
        engine = create_async_engine(make_engine(database_url).url)
        async with AsyncSession(engine) as session, session.begin():
            task_id = await session.run_sync(outbox.submit, "report", REPORT, owner=7)
        await engine.dispose()
        return task_id

    task_id = asyncio.run(submit())

    engine = make_engine(database_url)
    assert [row.task_id for row in rows(engine, task_id)] == [task_id]
    engine.dispose()


def test_an_async_session_itself_is_refused_before_a_task_can_get_lost(outbox: Outbox, engine: Engine) -> None:
    wrong: Any
    for wrong in (AsyncSession(create_async_engine(engine.url)), engine):
        with pytest.raises(TypeError, match="run_sync"):
            outbox.submit(wrong, "report", REPORT)


def test_a_web_tiers_role_needs_to_insert_into_two_tables(outbox: Outbox, engine: Engine) -> None:
    role = f"web_tier_{engine.url.database}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role}"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA batchtask TO {role}"))
        connection.execute(text(f"GRANT INSERT, SELECT (task_id, version) ON batchtask.event TO {role}"))
        connection.execute(text(f"GRANT INSERT ON batchtask.outbox TO {role}"))
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL ROLE {role}"))
            task_id = outbox.submit(connection, "report", REPORT)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))

    assert [row.task_id for row in rows(engine, task_id)] == [task_id]


def test_a_task_for_later_waits_in_its_stream_and_goes_to_the_projections(
    outbox: Outbox, transaction: Transaction, store: EventStore
) -> None:
    start_at = datetime.now(UTC) + timedelta(hours=1)
    task_id = outbox.submit(transaction, "report", REPORT, start_at=start_at)
    transaction.commit()

    [row] = rows(store.engine, task_id)
    assert row.routing_key == LATER_KEY
    assert store.state(task_id).due_at == start_at == read(row).start_at


def test_a_double_click_writes_one_event_and_one_message_and_the_first_counts(
    outbox: Outbox, store: EventStore
) -> None:
    clicked = []
    for selection_id in (1, 2):
        with Session(store.engine) as session, session.begin():
            fields = {"deduplication_key": f"{store.engine.url.database} double click"}
            clicked.append(outbox.submit(session, "report", {"selection_id": selection_id}, **fields))

    task_id = clicked[0]
    assert clicked == [task_id] * 2
    [row] = rows(store.engine, task_id)
    [begin] = store.load(task_id)
    assert isinstance(begin.body, TaskSubmitted)
    assert begin.body.parameters == read(row).parameters == {"selection_id": 1}


@pytest.mark.parametrize("first_commits", [True, False])
def test_of_two_clicks_at_once_the_second_waits_for_the_end_of_the_first(
    first_commits: bool, outbox: Outbox, store: EventStore
) -> None:
    key = f"at once, {first_commits}"
    clicked: list[TaskId] = []

    def second_click() -> None:
        with Session(store.engine) as session, session.begin():
            clicked.append(outbox.submit(session, "report", {"selection_id": 2}, deduplication_key=key))

    thread = threading.Thread(target=second_click)
    with Session(store.engine) as session:
        first = outbox.submit(session, "report", {"selection_id": 1}, deduplication_key=key)
        thread.start()
        eventually(lambda: lock_waits(store.engine))
        session.commit() if first_commits else session.rollback()
    thread.join()

    assert clicked == [first]
    [row] = rows(store.engine, first)
    assert read(row).parameters == {"selection_id": 1 if first_commits else 2}


def test_what_was_submitted_through_the_broker_already_is_not_submitted_again(
    outbox: Outbox, transaction: Transaction, store: EventStore
) -> None:
    known = SubmitTask(task_id=new_task_id(), name="report", submitted_at=datetime.now(UTC), parameters=REPORT)
    store.append_many([], ensure=[first_event(known)])

    assert outbox.submit(transaction, "report", REPORT, task_id=known.id) == known.id
    transaction.commit()

    assert rows(store.engine, known.id) == []
    assert store.load(known.id) == [first_event(known)]


@pytest.mark.parametrize(
    ("name", "fields", "error"),
    [
        ("no-such-task", {}, UnknownTask),
        ("report", {"parameters": {"selection_id": "many"}}, InvalidParameters),
        ("report", {"owner": 2**31}, InvalidParameters),
    ],
)
def test_what_does_not_fit_is_refused_and_the_callers_transaction_goes_on(
    name: str, fields: dict[str, Any], error: type[Exception], outbox: Outbox, transaction: Transaction
) -> None:
    with pytest.raises(error):
        outbox.submit(transaction, name, **({"parameters": REPORT} | fields))

    assert transaction.execute(text("SELECT 1")).scalar() == 1


def test_text_that_a_database_changes_on_the_way_is_what_the_stream_and_the_message_hold(
    outbox: Outbox, transaction: Transaction, store: EventStore
) -> None:
    parameters = {"selection_id": 1, "title": 'Ünïcode 🎈 \\u0000 % %s :name "quoted"', "factor": 1.5e-7}
    task_id = outbox.submit(transaction, "report", parameters, description="100 % :of %(it)s")
    transaction.commit()

    [row] = rows(store.engine, task_id)
    assert store.load(task_id) == [first_event(read(row))]
    assert read(row).parameters == parameters


def test_large_parameters_go_to_the_payload_store(engine: Engine, tmp_path: Path) -> None:
    outbox = Outbox(Settings(payload_url=str(tmp_path)), registry=REGISTRY)
    parameters = {"selection_id": 1, "title": "x" * 70_000}
    with engine.begin() as connection:
        task_id = outbox.submit(connection, "report", parameters)

    [row] = rows(engine, task_id)
    reference = read(row).payload_ref
    assert reference is not None
    assert PayloadStore(str(tmp_path)).fetch(reference) == parameters


def test_a_database_without_our_tables_is_told_as_such(outbox: Outbox, empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)

    with engine.connect() as connection, pytest.raises(SchemaMissing, match="batchtask migrate"):
        outbox.submit(connection, "report", REPORT)
    engine.dispose()
