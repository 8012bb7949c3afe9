"""The relay empties the outbox into the broker: nothing lost, whoever dies or goes away meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Engine, func, insert, select, text

from batchtask import envelope, signal_points
from batchtask.broker import Publisher
from batchtask.database import make_engine
from batchtask.definitions import Registry, TaskContext, task
from batchtask.identifiers import TaskId, new_task_id
from batchtask.local import RabbitMQ
from batchtask.publishing import REPEAT_HEADER
from batchtask.settings import Settings
from batchtask.tables import outbox as outbox_table
from batchtask.topology import PROJECTIONS_QUEUE, TASKS_QUEUE
from producer.outbox import Outbox
from projections.relay import PAGE, Relay, lag_seconds
from tests.contract.test_producers import messages_in
from tests.polling import eventually
from tests.system import System


@task("noop")
def noop(context: TaskContext) -> None:
    """Do nothing."""


OUTBOX = Outbox(Settings(), registry=Registry([noop]))


class Crash(Exception):
    """The relay's end at a signal point."""


@pytest.fixture(autouse=True)
def empty_outbox(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(outbox_table.delete())


def submit(engine: Engine, count: int = 1) -> list[TaskId]:
    with engine.begin() as connection:
        return [OUTBOX.submit(connection, "noop") for _ in range(count)]


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(outbox_table)).scalar_one()


@asynccontextmanager
async def relay(engine: Engine, amqp_url: str) -> AsyncIterator[Relay]:
    """A relay that runs, on a connection of its own."""
    publisher = Publisher(amqp_url, role="relay")
    await publisher.start()
    running = Relay(engine, publisher)
    running.start()
    try:
        yield running
    finally:
        await running.stop()
        await publisher.close()


async def until(holds: Callable[[], object], *, seconds: float = 20) -> None:
    await asyncio.to_thread(eventually, holds, seconds=seconds)


def task_ids_in_order(amqp_url: str) -> list[TaskId]:
    return [message.command.id for _, message in messages_in(amqp_url, TASKS_QUEUE.name)]


def relay_until_empty(engine: Engine, amqp_url: str) -> None:
    async def run() -> None:
        async with relay(engine, amqp_url):
            await until(lambda: rows(engine) == 0)

    asyncio.run(run())


def test_what_is_committed_reaches_both_queues_as_it_was_written(engine: Engine, amqp_url: str) -> None:
    [task_id] = submit(engine)
    with engine.connect() as connection:
        body = connection.execute(select(outbox_table.c.body)).scalar_one()

    relay_until_empty(engine, amqp_url)

    for queue in (TASKS_QUEUE, PROJECTIONS_QUEUE):
        [(properties, message)] = messages_in(amqp_url, queue.name)
        assert message == envelope.decode_command(body)
        assert message.command.id == task_id
        assert (properties.delivery_mode, properties.type) == (2, "SubmitTask")


def test_what_is_committed_later_is_found_within_moments(engine: Engine, amqp_url: str) -> None:
    async def run() -> None:
        async with relay(engine, amqp_url):
            for _ in range(3):
                await asyncio.to_thread(submit, engine)
                await until(lambda: rows(engine) == 0, seconds=5)

    asyncio.run(run())


def test_thousands_of_rows_go_out_in_the_order_in_which_they_were_written(engine: Engine, amqp_url: str) -> None:
    ids = submit(engine, 5000)

    relay_until_empty(engine, amqp_url)

    assert task_ids_in_order(amqp_url) == ids


def test_two_relays_at_once_publish_every_row_once(engine: Engine, amqp_url: str) -> None:
    ids = submit(engine, 3 * PAGE)

    async def run() -> None:
        async with relay(engine, amqp_url), relay(engine, amqp_url):
            await until(lambda: rows(engine) == 0)

    asyncio.run(run())

    assert Counter(task_ids_in_order(amqp_url)) == Counter(ids)


def test_a_row_in_another_ones_hands_is_passed_by(engine: Engine, amqp_url: str) -> None:
    locked, *others = submit(engine, 3)

    async def run() -> None:
        async with relay(engine, amqp_url):
            await until(lambda: rows(engine) == 1)

    with engine.connect() as connection:
        connection.execute(select(outbox_table).where(outbox_table.c.task_id == locked).with_for_update())
        asyncio.run(run())

    assert task_ids_in_order(amqp_url) == others


@pytest.mark.parametrize(
    ("point", "copies"),
    [("relay.taken", 1), ("relay.published", 2), ("relay.deleted", 2), ("relay.committed", 1)],
)
def test_after_a_crash_at_any_step_the_next_relay_goes_on(
    point: str, copies: int, engine: Engine, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = submit(engine, 3)
    crashed: list[str] = []

    def reached(name: str) -> None:
        if name == point and not crashed:
            crashed.append(name)
            raise Crash

    monkeypatch.setattr(signal_points, "reached", reached)

    async def run() -> None:
        async with relay(engine, amqp_url):
            await until(lambda: crashed)
        async with relay(engine, amqp_url):
            await until(lambda: rows(engine) == 0)

    asyncio.run(run())

    found = messages_in(amqp_url, TASKS_QUEUE.name)
    assert Counter(message.command.id for _, message in found) == Counter(ids * copies)
    # A redelivery of one copy must prove nothing about the other.
    assert len({str((properties.headers or {})[REPEAT_HEADER]) for properties, _ in found}) == len(found)


def test_rows_that_no_queue_takes_stay_are_told_and_block_nobody(
    engine: Engine, amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        lost = [{"task_id": new_task_id(), "routing_key": "nowhere", "body": b"{}"} for _ in range(PAGE + 1)]
        connection.execute(insert(outbox_table), lost)
    ids = submit(engine, 3)

    async def run() -> None:
        async with relay(engine, amqp_url):
            await until(lambda: rows(engine) == len(lost))

    with caplog.at_level(logging.ERROR, logger="projections.relay"):
        asyncio.run(run())

    assert task_ids_in_order(amqp_url) == ids
    told = [record for record in caplog.records if record.name == "projections.relay"]
    assert [getattr(record, "routing_key", None) for record in told] == ["nowhere"]
    assert "batchtask migrate" in caplog.text


def test_the_lag_is_the_age_of_the_oldest_row(engine: Engine) -> None:
    assert lag_seconds(engine) is None
    submit(engine, 2)
    with engine.begin() as connection:
        connection.execute(text("UPDATE batchtask.outbox SET written_at = written_at - interval '1 hour'"))
    submit(engine)

    lag = lag_seconds(engine)
    assert lag is not None
    assert 3600 <= lag < 3700


def test_a_relay_told_to_drain_finishes_what_it_has_in_hand(engine: Engine, amqp_url: str) -> None:
    ids = submit(engine, 2 * PAGE)

    async def run() -> None:
        async with relay(engine, amqp_url) as running:
            await until(lambda: rows(engine) < len(ids))
            await running.drain()
            await asyncio.to_thread(submit, engine)
            assert rows(engine) == 1

    asyncio.run(run())

    assert task_ids_in_order(amqp_url) == ids


def test_what_was_committed_runs_at_once_or_when_it_is_due(system: System) -> None:
    outbox = Outbox(Settings())
    for part in (system.projections(), system.projections(), system.worker()):
        part.wait_ready()

    with system.engine.begin() as connection:
        ids = [new_task_id() for _ in range(20)]
        for number, task_id in enumerate(ids):
            delay = {"delay_seconds": 0.5} if number % 2 else {}
            outbox.submit(connection, "append", {"path": str(system.trace(task_id))}, task_id=task_id, **delay)
    system.wait_all_finished(ids, seconds=30)

    assert [system.trace(task_id).read_text() for task_id in ids] == [f"{task_id}\n" for task_id in ids]
    assert not rows(system.engine)


def test_rows_wait_while_the_broker_is_away_and_no_transaction_stays_open(
    engine: Engine, own_broker: RabbitMQ
) -> None:
    async def run() -> list[TaskId]:
        async with relay(engine, own_broker.amqp_url):
            ids = await asyncio.to_thread(submit, engine, 3)
            await until(lambda: rows(engine) == 0)
            await asyncio.to_thread(own_broker.kill)

            ids += await asyncio.to_thread(submit, engine, PAGE + 1)
            await until(lambda: not open_transactions(engine))
            assert rows(engine) == PAGE + 1

            await asyncio.to_thread(own_broker.start)
            await until(lambda: rows(engine) == 0, seconds=60)

            # Once more, in the middle of work.
            ids += await asyncio.to_thread(submit, engine, 10 * PAGE)
            await until(lambda: rows(engine) < 9 * PAGE)
            await asyncio.to_thread(own_broker.kill)
            await until(lambda: not open_transactions(engine))
            await asyncio.to_thread(own_broker.start)
            await until(lambda: rows(engine) == 0, seconds=60)
            return ids

    ids = asyncio.run(run())

    assert set(ids) <= set(task_ids_in_order(own_broker.amqp_url))


def test_rows_wait_while_the_broker_takes_nothing_and_no_transaction_stays_open(
    engine: Engine, own_broker: RabbitMQ
) -> None:
    async def run() -> list[TaskId]:
        async with relay(engine, own_broker.amqp_url):
            await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "absolute", "1MB")
            ids = await asyncio.to_thread(submit, engine, PAGE)
            await until(lambda: open_transactions(engine))
            await until(lambda: not open_transactions(engine))
            assert rows(engine) == PAGE

            await asyncio.to_thread(own_broker.control, "set_vm_memory_high_watermark", "0.6")
            await until(lambda: rows(engine) == 0, seconds=60)
            return ids

    ids = asyncio.run(run())

    assert set(ids) <= set(task_ids_in_order(own_broker.amqp_url))


def test_a_database_that_goes_away_is_waited_out(
    engine: Engine, amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    relays_own = make_engine(engine.url.render_as_string(hide_password=False))

    async def run() -> None:
        async with relay(relays_own, amqp_url):
            await until(relays_own.pool.checkedin)  # type: ignore[attr-defined]
            await asyncio.to_thread(cut_connections, engine)
            await until(lambda: "database away" in caplog.text)
            await asyncio.to_thread(submit, engine, 3)
            await until(lambda: rows(engine) == 0)

    asyncio.run(run())
    relays_own.dispose()


def cut_connections(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()


def open_transactions(engine: Engine) -> int:
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    )
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())
