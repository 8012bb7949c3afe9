"""Faults under a steady load, told as counts: submitted = finished, nothing twice to effect, no state untrue."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from batchtask.local import PostgreSQL, RabbitMQ
from tests.load import load
from tests.polling import eventually
from tests.system import System, running_system

pytestmark = pytest.mark.slow

OUTAGE_SECONDS = 20


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
        bare.engine.dispose()  # our own connections went with the server


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
