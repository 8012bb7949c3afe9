"""The scheduler as it runs, on a real broker that refuses, goes away and comes back, and a database that does so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Engine, func, select

from batchtask.broker import Publisher
from batchtask.database import make_engine
from batchtask.identifiers import TaskId
from batchtask.local import RabbitMQ
from batchtask.store import EventStore, first_event
from batchtask.tables import batchtask
from batchtask.topology import PROJECTIONS_QUEUE, RELEASE_KEY, TASKS_QUEUE
from projections.projector import Projector
from projections.releases import PAGE
from projections.scheduler import Scheduler
from tests.contract.test_producers import messages_in, task_ids_in, unbind
from tests.desks import BEGAN, command, kinds
from tests.integration.test_relay import cut_connections, open_transactions, until


@pytest.fixture(autouse=True)
def nothing_else_is_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(batchtask.update().values(due_at=None))


@asynccontextmanager
async def scheduler(engine: Engine, amqp_url: str) -> AsyncIterator[Scheduler]:
    """A scheduler that runs, on a connection of its own."""
    publisher = Publisher(amqp_url, role="scheduler")
    await publisher.start()
    running = Scheduler(engine, publisher)
    running.start()
    try:
        yield running
    finally:
        await running.stop()
        await publisher.close()


def submit_due(engine: Engine, count: int = 1) -> set[TaskId]:
    """Tasks whose time has come."""
    first = [first_event(command(start_at=BEGAN)) for _ in range(count)]
    Projector(engine).project([], submitted=first)
    return {TaskId(event.task_id) for event in first}


def due(engine: Engine) -> int:
    with engine.connect() as connection:
        query = select(func.count()).select_from(batchtask).where(batchtask.c.due_at.is_not(None))
        return connection.execute(query).scalar_one()


def test_what_is_due_reaches_the_work_queue_alone_within_moments(engine: Engine, amqp_url: str) -> None:
    async def run() -> set[TaskId]:
        async with scheduler(engine, amqp_url):
            ids = set()
            for _ in range(3):
                ids |= await asyncio.to_thread(submit_due, engine)
                await until(lambda: due(engine) == 0, seconds=5)
            return ids

    ids = asyncio.run(run())

    assert task_ids_in(amqp_url, TASKS_QUEUE.name) == ids
    assert messages_in(amqp_url, PROJECTIONS_QUEUE.name) == []


def test_a_scheduler_told_to_drain_finishes_what_it_has_in_hand(engine: Engine, amqp_url: str) -> None:
    ids = submit_due(engine, 4 * PAGE)

    async def run() -> None:
        async with scheduler(engine, amqp_url) as running:
            await until(lambda: due(engine) < len(ids))
            await running.drain()
            await asyncio.to_thread(submit_due, engine)
            assert due(engine) == 1

    asyncio.run(run())

    assert task_ids_in(amqp_url, TASKS_QUEUE.name) == ids


def test_tasks_that_no_queue_takes_stay_due_until_one_does(
    engine: Engine, store: EventStore, amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused() -> None:
        async with scheduler(engine, amqp_url):
            await asyncio.to_thread(unbind, amqp_url, RELEASE_KEY)
            await asyncio.to_thread(submit_due, engine)
            await until(lambda: "releases not confirmed" in caplog.text)

    async def taken() -> None:
        async with scheduler(engine, amqp_url):  # on connecting it binds what is missing
            await until(lambda: due(engine) == 0)

    with caplog.at_level(logging.WARNING, logger="projections.scheduler"):
        asyncio.run(refused())
    assert due(engine) == 1
    asyncio.run(taken())

    [task_id] = task_ids_in(amqp_url, TASKS_QUEUE.name)
    assert kinds(store.load(task_id)) == ["TaskSubmitted", "TaskReleased"]


def test_tasks_stay_due_while_the_broker_is_away_and_no_transaction_stays_open(
    engine: Engine, own_broker: RabbitMQ
) -> None:
    async def run() -> set[TaskId]:
        async with scheduler(engine, own_broker.amqp_url):
            await asyncio.to_thread(own_broker.kill)
            ids = await asyncio.to_thread(submit_due, engine, PAGE + 1)
            await until(lambda: not open_transactions(engine))
            assert due(engine) == PAGE + 1

            await asyncio.to_thread(own_broker.start)
            await until(lambda: due(engine) == 0, seconds=60)
            return ids

    ids = asyncio.run(run())

    assert ids <= task_ids_in(own_broker.amqp_url, TASKS_QUEUE.name)


def test_tasks_stay_due_while_the_broker_takes_nothing_and_no_transaction_stays_open(
    engine: Engine, own_broker: RabbitMQ
) -> None:
    async def run() -> set[TaskId]:
        async with scheduler(engine, own_broker.amqp_url):
            await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "absolute", "1MB")
            ids = await asyncio.to_thread(submit_due, engine, PAGE)
            await until(lambda: open_transactions(engine))
            await until(lambda: not open_transactions(engine))
            assert due(engine) == PAGE

            await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "0.6")
            await until(lambda: due(engine) == 0, seconds=60)
            return ids

    ids = asyncio.run(run())

    assert ids <= task_ids_in(own_broker.amqp_url, TASKS_QUEUE.name)


def test_a_database_that_goes_away_is_waited_out(
    engine: Engine, amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = make_engine(engine.url.render_as_string(hide_password=False))

    async def run() -> None:
        async with scheduler(own, amqp_url):
            await until(own.pool.checkedin)  # type: ignore[attr-defined]
            await asyncio.to_thread(cut_connections, engine)
            await until(lambda: "scheduler has the database again" in caplog.text)
            await asyncio.to_thread(submit_due, engine, 3)
            await until(lambda: due(engine) == 0)

    with caplog.at_level(logging.INFO, logger="projections.scheduler"):
        asyncio.run(run())
    own.dispose()

    assert caplog.text.count("scheduler waits for the database") == 1
