"""Brokers of a given release and configuration, for tests that need more than the one of the session."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pika
import pytest

from batchtask.local import RabbitMQ, SourceFailed, add_virtual_host, broker_installation, delete_virtual_host
from batchtask.local.rabbitmq import BrokerInstallation
from tests import broker_trees
from tests.polling import eventually

#: The oldest that is supported, the first of a new generation, and the newest.
RELEASES = ("3.10", "4.0", "4.3")
ENVIRON = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
NUMBERS = itertools.count(1)


def installation(release: str) -> BrokerInstallation:
    """The programs of a release: the machine's own if it is that one, else unpacked ones. Skips where none can be."""
    try:
        own = broker_installation(broker_trees.TREES, ENVIRON, print)
        if own.version.startswith(release):
            return own
        if release in broker_trees.SUITES:
            return broker_trees.installation(release)
        reason = f"this machine has RabbitMQ {own.version}"
    except (SourceFailed, broker_trees.NoTree) as missing:
        reason = str(missing)
    pytest.skip(f"NOT TESTED ON RabbitMQ {release}: {reason}")


@contextmanager
def broker(release: str, *, ack_timeout_seconds: float | None = None, durable: bool = False) -> Iterator[RabbitMQ]:
    """Give a private node with its management API.

    Args:
        release: One of `RELEASES`.
        ack_timeout_seconds: Its acknowledgement timeout, looked at every second instead of every minute.
        durable: Whether it keeps what it confirmed when it is killed.
    """
    patience, tick = "", []
    if ack_timeout_seconds is not None:
        patience = f"consumer_timeout = {ack_timeout_seconds * 1000:.0f}"
        tick = ["{rabbit, [{channel_tick_interval, 1000}]}"]  # no key of rabbitmq.conf
    with temporary_directory() as directory:
        node = RabbitMQ(
            installation=installation(release),
            directory=directory,
            durable=durable,
            management=True,
            configuration=patience,
            advanced=tick,
        )
        with node:
            yield node


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory for a node, in the one place that unpacked trees share with the machine."""
    with tempfile.TemporaryDirectory(prefix="batchtask-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@contextmanager
def virtual_host(node: RabbitMQ) -> Iterator[str]:
    """Give the URL of a virtual host for one test."""
    assert node.management_url is not None
    name = f"test-{next(NUMBERS)}"
    yield add_virtual_host(node.management_url, node.amqp_url, name)
    delete_virtual_host(node.management_url, name)


def through(amqp_url: str, port: int) -> str:
    """The same URL with another port of this machine."""
    url = urlsplit(amqp_url)
    return urlunsplit(url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{port}"))


def outlast_ack_timeout(amqp_url: str) -> None:
    """Return when the broker has taken back a delivery of a canary: one that is older has met its timeout, too."""
    queue = f"canary-{next(NUMBERS)}"
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        taken_back: list[object] = []
        channel.add_on_cancel_callback(taken_back.append)
        channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", queue, b"")
        channel.basic_consume(queue, lambda *_: None)

        def gone() -> bool:
            connection.process_data_events(time_limit=0.05)
            return bool(taken_back) or channel.is_closed  # the latter before 4.3

        eventually(gone, seconds=60)
