"""Three brokers as one: the one that leads the queues is killed under load, and comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from batchtask.local import RabbitMQ
from batchtask.local.files import write_private
from batchtask.local.processes import free_port
from batchtask.topology import TASKS_QUEUE
from tests.brokers import RELEASES, installation, temporary_directory, through
from tests.conftest import Borrow
from tests.load import load
from tests.proxy import proxied
from tests.system import running_system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

#: A minority stops by itself, and a node that is gone is noticed soon; 4.3 needs neither and takes both.
CONFIGURATION = "cluster_partition_handling = pause_minority\nnet_ticktime = 8"
COOKIE = "one-cluster"


@contextmanager
def cluster(release: str) -> Iterator[list[RabbitMQ]]:
    """Give three nodes that have joined, the first one with everything declared on it so far."""
    programs, epmd_port = installation(release), free_port()
    with ExitStack() as stack:
        nodes = []
        for number in (1, 2, 3):
            directory = stack.enter_context(temporary_directory())
            write_private(directory / ".erlang.cookie", COOKIE)
            write_private(directory / "password", COOKIE)
            nodes.append(
                RabbitMQ(
                    installation=programs,
                    directory=directory,
                    node=f"c{number}@localhost",
                    epmd_port=epmd_port,
                    configuration=CONFIGURATION,
                )
            )
        stack.enter_context(nodes[0])  # with it the port mapper of all
        for node in nodes[1:]:
            stack.callback(node.kill)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(RabbitMQ.start, nodes[1:]))
        for node in nodes[1:]:
            join(node, nodes[0])
        yield nodes


def join(node: RabbitMQ, first: RabbitMQ) -> None:
    for arguments in (["stop_app"], ["reset"], ["join_cluster", first.node], ["start_app"]):
        node.control(*arguments)


def leader(nodes: Sequence[RabbitMQ]) -> RabbitMQ:
    """The node that leads the work queue."""
    listed = nodes[0].control("list_queues", "--no-table-headers", "-p", "batchtask", "name", "leader")
    [name] = [line.split()[1] for line in listed.splitlines() if line.startswith(TASKS_QUEUE.name)]
    return next(node for node in nodes if node.node == name)


@pytest.mark.parametrize("release", RELEASES)
def test_the_leader_of_the_queues_is_killed_under_load(release: str, databases: Borrow, tmp_path: Path) -> None:
    with (
        cluster(release) as nodes,
        proxied(*(node.port for node in nodes)) as proxy,  # as the balancer before a cluster
        databases() as database_url,
        running_system(through(nodes[0].amqp_url, proxy.port), database_url, tmp_path) as system,
        load(system) as running,
    ):
        killed = leader(nodes)
        killed.kill()
        reached = len(running.ids) + 100
        system.wait(lambda: len(running.ids) >= reached, seconds=60)
        killed.start()
