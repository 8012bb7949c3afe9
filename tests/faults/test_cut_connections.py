"""The network between every process and the broker is cut, stalled and resumed at random, under load."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchtask.local import RabbitMQ
from tests.brokers import RELEASES, broker, through, virtual_host
from tests.conftest import Borrow
from tests.load import load
from tests.proxy import Proxy, proxied
from tests.system import System, running_system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 20260302


@pytest.fixture(scope="module", params=RELEASES)
def node(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    with broker(request.param) as node:
        yield node


@pytest.fixture
def proxy(node: RabbitMQ) -> Iterator[Proxy]:
    with proxied(node.port) as proxy:
        yield proxy


@pytest.fixture
def distant(node: RabbitMQ, proxy: Proxy, databases: Borrow, tmp_path: Path) -> Iterator[System]:
    """A system that knows its broker by the proxy alone."""
    with (
        virtual_host(node) as url,
        databases() as database_url,
        running_system(through(url, proxy.port), database_url, tmp_path) as system,
    ):
        yield system


def test_connections_break_at_random_under_load(distant: System, proxy: Proxy) -> None:
    chance = random.Random(SEED)
    with load(distant) as running:
        for _ in range(15):
            time.sleep(chance.uniform(0.1, 1.0))  # at any moment: that is the point
            if chance.random() < 0.6:
                proxy.cut()
                continue
            proxy.stall()
            time.sleep(chance.uniform(0.1, 2.0))
            if chance.random() < 0.5:
                proxy.cut()
            proxy.resume()
    assert len(running.ids) > 100


def test_a_network_that_swallows_everything_is_noticed_and_left(distant: System, proxy: Proxy) -> None:
    """Nothing is refused and nothing ends: only what does not come tells."""
    with load(distant):
        proxy.stall()
        distant.wait(lambda: all("broker connection lost" in part.output for part in distant.parts), seconds=90)
        proxy.resume()
