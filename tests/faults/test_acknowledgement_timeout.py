"""A broker that takes messages back after seconds: tasks outlive it, once, on every release that is supported.

The timeout is four seconds instead of thirty minutes, and looked at every second instead of every minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask.broker.ack_timeout import PER_QUEUE, queue_limits
from batchtask.broker.management import NoAnswer
from batchtask.definitions import Acknowledge, Registry, TaskContext, task
from batchtask.errors import SettingsError
from batchtask.events import HeartbeatRecorded
from batchtask.local import RabbitMQ
from batchtask.local.processes import free_port
from batchtask.settings import Settings
from batchtask.topology import TASKS_QUEUE
from tests.brokers import RELEASES, broker, outlast_ack_timeout, virtual_host
from tests.conftest import Borrow
from tests.outcome import assert_all_succeeded
from tests.polling import eventually
from tests.system import System, running_system
from worker.acknowledging import Acknowledging
from worker.service import Worker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TIMEOUT_SECONDS = 4.0
#: What a worker is told that must believe it can hold tasks of ten minutes.
LIE = {"consumer_timeout": 3600, "task_timeout": 600}


@task("demanding", timeout=600, acknowledge=Acknowledge.HOLD)
def demanding(context: TaskContext) -> None:
    """Demand that the message is held for ten minutes."""


@pytest.fixture(scope="module", params=RELEASES)
def impatient(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    with broker(request.param, ack_timeout_seconds=TIMEOUT_SECONDS) as node:
        yield node


@pytest.fixture
def amqp_url(impatient: RabbitMQ) -> Iterator[str]:
    with virtual_host(impatient) as url:
        yield url


@pytest.fixture
def hurried(amqp_url: str, databases: Borrow, tmp_path: Path) -> Iterator[System]:
    """A system on the impatient broker."""
    with databases() as database_url, running_system(amqp_url, database_url, tmp_path) as system:
        system.projections()
        yield system


def states_its_timeout(node: RabbitMQ) -> bool:
    """Whether consumers of this release can say themselves how long they may take."""
    return node.installation.version >= "4.3"


def test_a_leased_task_outlives_the_timeout_and_runs_once(hurried: System) -> None:
    hurried.worker(consumer_timeout=TIMEOUT_SECONDS)
    task_id = hurried.submit_traced("gate")
    hurried.wait_started(task_id)

    outlast_ack_timeout(hurried.amqp_url)
    hurried.open_gates(task_id)

    hurried.wait_finished(task_id)
    assert_all_succeeded(hurried, [task_id])
    assert [(event.fence, event.held) for event in hurried.attempts(task_id)] == [(1, False)]
    assert hurried.trace(task_id).read_text() == "1\n"


def test_a_task_without_any_limit_lives_on_its_heartbeats(hurried: System) -> None:
    hurried.worker(consumer_timeout=TIMEOUT_SECONDS, heartbeat_seconds=0.5, lease_seconds=2)
    task_id = hurried.submit_traced("gate-leased")
    hurried.wait_started(task_id)

    outlast_ack_timeout(hurried.amqp_url)
    hurried.open_gates(task_id)

    hurried.wait_finished(task_id)
    assert_all_succeeded(hurried, [task_id])
    assert len(hurried.attempts(task_id)) == 1
    assert sum(isinstance(event, HeartbeatRecorded) for event in hurried.history(task_id)) > 3


def test_a_held_task_outlives_a_timeout_that_the_worker_knew_nothing_of(hurried: System, impatient: RabbitMQ) -> None:
    """The message comes back to the worker that still runs its task, which is no reason to run it again."""
    worker = hurried.worker(**LIE)
    task_id = hurried.submit_traced("gate")
    hurried.wait_started(task_id)

    for _ in range(2):
        outlast_ack_timeout(hurried.amqp_url)
    neighbour = hurried.producer.submit("noop")
    hurried.wait_finished(neighbour)
    hurried.open_gates(task_id)

    hurried.wait_finished(task_id)
    assert_all_succeeded(hurried, [task_id, neighbour])
    assert [(event.fence, event.held) for event in hurried.attempts(task_id)] == [(1, True)]
    assert hurried.trace(task_id).read_text() == "1\n"
    assert ("broker connection lost" in worker.output) is not states_its_timeout(impatient)


def test_a_worker_whose_task_went_elsewhere_is_fenced_and_works_on(hurried: System, impatient: RabbitMQ) -> None:
    parts = [hurried.worker(**LIE, max_tasks=1, heartbeat_seconds=1, lease_seconds=3)]
    task_id = hurried.submit_traced("gate")
    hurried.wait_started(task_id)
    parts.append(hurried.worker(**LIE, max_tasks=1, heartbeat_seconds=1, lease_seconds=3))
    for part in parts:
        part.wait_ready()

    if states_its_timeout(impatient):
        outlast_ack_timeout(hurried.amqp_url)
    else:
        hurried.wait_started(task_id, attempts=2)
    hurried.open_gates(task_id)

    hurried.wait_finished(task_id)
    neighbours = [hurried.producer.submit("noop") for _ in range(4)]
    hurried.wait_finished(*neighbours)
    assert_all_succeeded(hurried, [task_id, *neighbours])
    assert all(part.process.poll() is None for part in parts)


def test_a_task_that_demands_to_be_held_is_refused_where_it_cannot_be(
    amqp_url: str, database_url: str, impatient: RabbitMQ
) -> None:
    async def start() -> None:
        settings = Settings(amqp_url=amqp_url, database_url=database_url, consumer_timeout=TIMEOUT_SECONDS)
        worker = Worker(settings, Registry([demanding]))
        try:
            await worker.start()
        finally:
            await worker.stop()

    if states_its_timeout(impatient):
        asyncio.run(start())
    else:
        with pytest.raises(
            SettingsError, match=r"task 'demanding' demands that its message is held.* timeout of 4 s"
        ):
            asyncio.run(start())


def test_the_policy_of_the_queue_counts_where_the_release_knows_it(hurried: System, impatient: RabbitMQ) -> None:
    hurried.worker().wait_ready()  # which declares the queue
    virtual_host = hurried.amqp_url.rpartition("/")[2]
    if not impatient.installation.version.startswith("3.10"):  # which refuses the key
        impatient.control("set_policy", "-p", virtual_host, "patience", "tasks", '{"consumer-timeout": 900000}')
    settings = Settings(amqp_url=hurried.amqp_url, management_url=impatient.management_url or "", consumer_timeout=4)
    known = Acknowledging(settings, Registry([demanding]))
    major, minor = impatient.installation.version.split(".")[:2]
    version = (int(major), int(minor))
    expected = 900 if version >= PER_QUEUE else TIMEOUT_SECONDS

    def is_known() -> bool:
        asyncio.run(known.ask())
        return known.timeout(version).seconds == expected

    eventually(is_known)
    assert known.modes(version).held == ({"demanding"} if expected == 900 else set())


def test_a_management_api_that_does_not_answer_stops_nobody(hurried: System) -> None:
    nobody = f"http://guest:guest@127.0.0.1:{free_port()}"
    with pytest.raises(NoAnswer):
        asyncio.run(queue_limits(nobody, hurried.amqp_url, TASKS_QUEUE.name))

    worker = hurried.worker(management_url=nobody)

    worker.wait_ready()
    assert "management API does not say the acknowledgement timeout" in worker.output
    hurried.wait_finished(hurried.producer.submit("noop"))
