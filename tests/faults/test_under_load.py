"""Faults under a steady load, told as counts: submitted = finished, nothing twice to effect, no state untrue."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from batchtask.errors import PublishError
from batchtask.identifiers import TaskId
from batchtask.local import PostgreSQL, RabbitMQ
from batchtask.settings import Settings
from producer.blocking import Producer
from producer.task_request import TaskRequest
from tests.outcome import assert_all_succeeded
from tests.polling import eventually
from tests.system import System, running_system
from tests.tally import STEPS, make_tally, tallied

pytestmark = pytest.mark.slow

OUTAGE_SECONDS = 20
PAUSE_SECONDS = 0.02
QUICK = {"heartbeat_seconds": 1, "lease_seconds": 5, "reconcile_seconds": 1, "max_tasks": 8}


class Load:
    """Submits tasks of both modes, one after the other, until it is told to stop. An unconfirmed one is repeated."""

    def __init__(self, amqp_url: str) -> None:
        self.ids: list[TaskId] = []
        self._amqp_url = amqp_url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with Producer(Settings(amqp_url=self._amqp_url, submit_seconds=1)) as producer:
            while not self._stopping.wait(PAUSE_SECONDS):
                name = ("tally", "tally-leased")[len(self.ids) % 2]
                request = TaskRequest(name=name, parameters={"steps": STEPS, "seconds": 0.02})
                self._submit(producer, request)
                self.ids.append(request.task_id)

    def _submit(self, producer: Producer, request: TaskRequest) -> None:
        while True:
            try:
                producer.submit_many([request])
            except PublishError:
                continue
            return


@contextmanager
def load(system: System) -> Iterator[Load]:
    """Two of everything, and tasks coming in; at the end all of them must have ended well."""
    make_tally(system)
    for _ in range(2):
        system.worker(**QUICK)
        system.projections(**QUICK)
    for part in system.parts:
        part.wait_ready()
    running = Load(system.amqp_url)
    running.start()
    try:
        eventually(lambda: len(tallied(system)) >= 50, seconds=30)
        yield running
        reached = len(running.ids) + 50
        eventually(lambda: len(running.ids) >= reached, seconds=60)
    finally:
        running.stop()
    system.wait_all_finished(running.ids, seconds=90)
    assert_all_succeeded(system, running.ids)
    assert tallied(system) == sorted((task_id, step) for task_id in running.ids for step in range(STEPS))


@pytest.fixture
def bare(broker: RabbitMQ, database: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(broker.amqp_url, database.database_url, tmp_path_factory.mktemp("load")) as system:
        yield system


def kill_broker(broker: RabbitMQ, database: PostgreSQL) -> None:
    broker.kill()
    broker.start()


def restart_broker(broker: RabbitMQ, database: PostgreSQL) -> None:
    broker.restart()


def database_away(broker: RabbitMQ, database: PostgreSQL) -> None:
    database.stop()
    threading.Event().wait(OUTAGE_SECONDS)
    database.start()


@pytest.mark.parametrize("fault", [kill_broker, restart_broker, database_away])
@pytest.mark.timeout(300)
def test_servers_go_away_under_load(
    fault: Callable[[RabbitMQ, PostgreSQL], None], bare: System, broker: RabbitMQ, database: PostgreSQL
) -> None:
    with load(bare):
        fault(broker, database)


@pytest.mark.timeout(300)
def test_a_host_is_frozen_past_its_leases_and_thawed(bare: System) -> None:
    with load(bare) as running:
        frozen = psutil.Process(bare.parts[0].pid)
        group = [frozen, *frozen.children(recursive=True)]
        for process in group:
            process.send_signal(signal.SIGSTOP)
        reached = len(running.ids) + 300  # far longer than a lease
        eventually(lambda: len(running.ids) >= reached, seconds=60)
        for process in group:
            process.send_signal(signal.SIGCONT)
