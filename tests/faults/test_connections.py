"""Whatever ends a subscription, one way leads back: a new connection, the topology verified, then work goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pika
import pytest

from batchtask.broker import Consumer, Delivery
from batchtask.errors import PublishUnconfirmed
from batchtask.local import RabbitMQ
from batchtask.settings import Settings
from batchtask.topology import TASKS_QUEUE
from producer.blocking import Producer
from producer.submission import TaskRequest
from tests.brokers import RELEASES, broker, virtual_host
from tests.conftest import Borrow
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import System, running_system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

WATCH_SECONDS = 0.3
#: Held on a broker with its usual timeout.
HOLD = {"task_timeout": 600}


@pytest.fixture(scope="module", params=RELEASES)
def node(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    with broker(request.param) as node:
        yield node


@pytest.fixture
def amqp_url(node: RabbitMQ) -> Iterator[str]:
    with virtual_host(node) as url:
        yield url


@pytest.fixture
def living(amqp_url: str, databases: Borrow, tmp_path: Path) -> Iterator[System]:
    """A system on the node, with a worker as its first part and a projections process."""
    with databases() as database_url, running_system(amqp_url, database_url, tmp_path) as system:
        system.worker(max_tasks=4, **HOLD)
        system.projections()
        for part in system.parts:
            part.wait_ready()
        yield system


class Subscription:
    """A consumer of the work queue and what it was given."""

    def __init__(self, amqp_url: str, *, prefetch: int = 2, settles: bool = True) -> None:
        self.amqp_url = amqp_url
        self.bodies: list[bytes] = []
        self.losses: list[str] = []
        self._settles = settles
        self.consumer = Consumer(
            amqp_url,
            queue=TASKS_QUEUE.name,
            prefetch=prefetch,
            deliver=self._deliver,
            lost=self.losses.append,
            watch_seconds=WATCH_SECONDS,
        )

    def _deliver(self, delivery: Delivery) -> None:
        self.bodies.append(delivery.body)
        if self._settles:
            self.consumer.settle(delivery)

    @property
    def channel(self) -> Any:
        return self.consumer.connection.channel

    async def publish(self, body: bytes) -> None:
        await asyncio.to_thread(publish, self.amqp_url, body)

    async def wait(self, holds: Callable[[], object], *, seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - nobody tells when
                await asyncio.sleep(0.02)

    async def wait_delivered(self, body: bytes) -> None:
        await self.wait(lambda: body in self.bodies)


@asynccontextmanager
async def subscribed(subscription: Subscription) -> AsyncIterator[Subscription]:
    await subscription.consumer.start()
    try:
        await subscription.publish(b"first")
        await subscription.wait_delivered(b"first")
        yield subscription
    finally:
        await subscription.consumer.close()


def publish(amqp_url: str, body: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", TASKS_QUEUE.name, body, mandatory=True)


def delete(amqp_url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        connection.channel().queue_delete(TASKS_QUEUE.name)


async def delete_queue(subscription: Subscription, _: RabbitMQ) -> None:
    await asyncio.to_thread(delete, subscription.amqp_url)


async def break_the_protocol(subscription: Subscription, _: RabbitMQ) -> None:
    subscription.channel.basic_ack(4711)


async def close_connections(subscription: Subscription, node: RabbitMQ) -> None:
    host = subscription.amqp_url.rpartition("/")[2]
    await asyncio.to_thread(node.control, "close_all_connections", "--vhost", host, "test")


async def kill_the_broker(_: Subscription, node: RabbitMQ) -> None:
    await asyncio.to_thread(node.kill)
    await asyncio.to_thread(node.start)


async def cancel_behind_its_back(subscription: Subscription, _: RabbitMQ) -> None:
    for tag in subscription.channel.consumer_tags:
        subscription.channel.basic_cancel(tag)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (delete_queue, "the broker cancelled the consumer"),
        (break_the_protocol, "406 PRECONDITION_FAILED - unknown delivery tag 4711"),
        (close_connections, "320 CONNECTION_FORCED - test"),
        (cancel_behind_its_back, "the broker knows no consumer of the queue"),
        (kill_the_broker, ""),
    ],
)
def test_a_consumer_gets_messages_again_after(
    fault: Callable[[Subscription, RabbitMQ], Any], reason: str, amqp_url: str, node: RabbitMQ
) -> None:
    async def act() -> None:
        async with subscribed(Subscription(amqp_url)) as subscription:
            await fault(subscription, node)
            await subscription.wait(lambda: subscription.losses, seconds=30)
            await subscription.wait(lambda: subscription.consumer.connection.usable, seconds=30)
            await subscription.publish(b"afterwards")
            await subscription.wait_delivered(b"afterwards")
            assert reason in subscription.losses[0]
            assert len(subscription.losses) == 1

    asyncio.run(act())


def test_a_consumer_that_the_broker_timed_out_and_that_did_not_hear_of_it_is_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From 4.3 on such a consumer stays, gets nothing more, and its channel looks well."""
    monkeypatch.setattr("pika.channel.Channel.add_on_cancel_callback", lambda *_: None)  # deaf, as many clients are

    async def act(amqp_url: str) -> None:
        async with subscribed(Subscription(amqp_url, settles=False)) as subscription:
            await subscription.wait(lambda: subscription.bodies.count(b"first") > 1, seconds=40)
            assert subscription.losses == ["1 messages wait and none is delivered"]

    with broker("4.3", ack_timeout_seconds=2) as impatient:
        asyncio.run(act(impatient.amqp_url))


def test_a_consumer_whose_hands_are_full_or_that_is_paused_is_left_alone(amqp_url: str) -> None:
    async def act() -> None:
        async with subscribed(Subscription(amqp_url, prefetch=1, settles=False)) as subscription:
            await subscription.publish(b"waits")
            await asyncio.sleep(6 * WATCH_SECONDS)  # that nothing happens takes time to see
            await subscription.consumer.set_prefetch(0)
            await asyncio.sleep(6 * WATCH_SECONDS)
            assert subscription.losses == []
            await subscription.consumer.set_prefetch(2)
            await subscription.wait_delivered(b"waits")
            assert subscription.losses == []

    asyncio.run(act())


def test_held_tasks_go_on_while_their_queue_is_deleted(living: System) -> None:
    running = living.submit_many_traced("gate", 2)
    for task_id in running:
        living.wait_started(task_id)

    delete(living.amqp_url)
    worker = living.parts[0]
    living.wait(lambda: "broker connection restored" in worker.output)
    neighbour = submit_until_accepted(living, TaskRequest(name="noop"))
    living.wait_finished(neighbour)
    living.open_gates(*running)

    living.wait_finished(*running)
    assert_all_succeeded(living, [*running, neighbour])
    assert all(len(living.attempts(task_id)) == 1 for task_id in running)


def test_nothing_is_lost_while_the_broker_blocks_publishers(living: System, node: RabbitMQ) -> None:
    running = living.submit_traced("gate")
    ids = living.submit_many_traced("append", 50, seconds=0.05)
    living.wait_started(running)

    node.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        refused_while_blocked(living)
        living.open_gates(running)  # it ends now, and its end cannot be told
    finally:
        node.control("set_vm_memory_high_watermark", "0.4")

    neighbour = submit_until_accepted(living, TaskRequest(name="noop"))
    living.wait_all_finished([running, *ids, neighbour], seconds=60)
    assert_all_succeeded(living, [running, *ids, neighbour])
    assert_each_ran_once(living, ids)


def refused_while_blocked(system: System) -> None:
    """Submit until the producer says that the broker takes nothing: the alarm comes a moment after its cause."""

    def refused() -> bool:
        with Producer(Settings(amqp_url=system.amqp_url, submit_seconds=1)) as impatient:
            try:
                impatient.submit("noop")
            except PublishUnconfirmed as error:
                assert "ask again with the same task_id" in str(error)
                return True
        return False

    system.wait(refused)


def submit_until_accepted(system: System, request: TaskRequest) -> Any:
    """Submit as a web tier does: again, with the same id, for as long as nothing is confirmed."""

    def accepted() -> bool:
        try:
            system.producer.submit_many([request])
        except PublishUnconfirmed:
            return False
        return True

    system.wait(accepted)
    return request.task_id
