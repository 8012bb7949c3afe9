"""The migrations of the CRM's tables, up and down."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, text

from batchtask import crm7
from batchtask.database import make_engine
from batchtask.events import (
    AttemptStarted,
    CancelNoticed,
    CancelRequested,
    Event,
    HeartbeatRecorded,
    TaskCancelled,
    TaskReleased,
    TaskReplayed,
    TaskSubmitted,
)
from batchtask.identifiers import new_task_id
from batchtask.migrations import SCRIPTS, config_for, upgrade
from batchtask.store import Append, EventStore
from projections.projector import Projector
from projections.rebuild import Rebuild

ROOT = Path(__file__).resolve().parents[2]
#: The first and the last of those that number tables by `number_tables`.
FIRST, LAST = "0003", "0009"


def downgrade(engine: Engine, revision: str) -> None:
    config = config_for(SCRIPTS)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()


def shape(engine: Engine) -> tuple[set[str], dict[str, int]]:
    """The tables of the CRM, and their numbers."""
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'crm7'")).scalars()
        numbers = connection.execute(text("SELECT lower(tablename), tablenumber FROM crm7.sequence")).all()
        return set(tables), {str(name): int(number) for name, number in numbers}


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_database_url)
    yield engine
    engine.dispose()


def test_a_migration_undone_takes_its_tables_and_their_numbers_and_can_be_repeated(
    engine: Engine, empty_database_url: str
) -> None:
    upgrade(empty_database_url, FIRST)
    before = shape(engine)
    upgrade(empty_database_url, LAST)
    after = shape(engine)
    assert len(after[0]) > len(before[0]) + 40
    downgrade(engine, FIRST)
    assert shape(engine) == before
    upgrade(empty_database_url, LAST)
    assert shape(engine) == after


def test_every_table_has_a_number_of_its_own_and_gets_ids(engine: Engine, empty_database_url: str) -> None:
    upgrade(empty_database_url, LAST)
    _, numbers = shape(engine)
    assert len(set(numbers.values())) == len(numbers)
    with engine.begin() as connection:
        for table in crm7.metadata.tables.values():
            if table.name in numbers:
                [allocated] = crm7.allocate_ids(connection, table, 1)
                assert allocated >= 1


def test_rows_of_tasks_that_are_being_stopped_say_so_after_the_migration_as_after_a_rebuild(
    engine: Engine, empty_database_url: str
) -> None:
    upgrade(empty_database_url)
    store, began = EventStore(engine), datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    running, wish = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d"), CancelRequested(requested_by=5)
    again = [TaskCancelled(requested_by=5), TaskReplayed(requested_by=5, due_at=began), TaskReleased()]
    heartbeat = HeartbeatRecorded(fence=1)
    histories: dict[str, list[Event]] = {
        "runs": [running],
        "stops": [running, wish],
        "still stops": [running, wish, CancelNoticed(fence=1), heartbeat],
        "stopped": [running, wish, *again[:1]],
        "began anew": [running, wish, *again, running, heartbeat],
        "was asked twice": [running, wish, *again, running, wish],
        "waits": [],
    }
    tasks = {new_task_id(): [TaskSubmitted(name="noop", description=name), *h] for name, h in histories.items()}
    store.append_many([Append(task_id, -1, events, began) for task_id, events in tasks.items()])
    Projector(engine).project(event for one in store.load_many(dict.fromkeys(tasks, -1)).values() for event in one)
    downgrade(engine, "0014")

    upgrade(empty_database_url)

    with engine.connect() as connection:
        found = connection.execute(text("SELECT description FROM crm7.batchtask WHERE stopping")).scalars().all()
    assert set(found) == {"stops", "still stops", "was asked twice"}
    assert Rebuild(engine).run().different == 0


def test_a_row_that_does_not_reflect_a_wish_to_stop_yet_hears_of_it_from_the_projector(
    engine: Engine, empty_database_url: str
) -> None:
    upgrade(empty_database_url)
    store, task_id, began = EventStore(engine), new_task_id(), datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    running, wish = AttemptStarted(attempt=1, fence=1, worker="w", delivery_id="d"), CancelRequested(requested_by=5)
    store.append_many([Append(task_id, -1, [TaskSubmitted(name="noop"), running, wish], began)])
    events = store.load(task_id)
    Projector(engine).project(events[1:2], submitted=events[:1])
    downgrade(engine, "0014")

    upgrade(empty_database_url)

    stopping = text("SELECT stopping FROM crm7.batchtask")
    with engine.connect() as connection:
        assert connection.execute(stopping).scalars().all() == [False]
    Projector(engine).project(events[2:])
    with engine.connect() as connection:
        assert connection.execute(stopping).scalars().all() == [True]


def test_a_wheel_brings_the_migrations_along(empty_database_url: str, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    subprocess.run([*pip, "--no-deps", "--no-index", "--no-build-isolation", "--target", tmp_path, ROOT], check=True)
    script = "import sys; from batchtask.migrations import upgrade; upgrade(sys.argv[1])"
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-P", "-c", script, empty_database_url], env=environ, cwd=tmp_path, check=True)
    engine = make_engine(empty_database_url)
    assert {"batchtask", "email_item"} <= shape(engine)[0]
    engine.dispose()
