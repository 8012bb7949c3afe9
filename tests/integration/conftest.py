from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from multiprocessing import forkserver
from pathlib import Path

import pytest
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.local import RabbitMQ, broker_installation
from batchtask.store import EventStore
from tests.children import SETTINGS, closed
from tests.conftest import ENVIRON
from worker.children.pool import ChildPool


@pytest.fixture(scope="module")
def engine(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Engine]:
    """A database that the tests of a module share: each works on tasks of its own."""
    with databases() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def store(engine: Engine) -> EventStore:
    return EventStore(engine)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for the module, and a fork server that finds the test tasks when it looks for all there are."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        yield runner
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def shared(loop: asyncio.Runner) -> Iterator[ChildPool]:
    """A pool of children that the tests of a module share."""
    pool = ChildPool(SETTINGS, warm=1, largest=3)
    loop.run(pool.start())
    yield pool
    loop.run(closed(pool))


@pytest.fixture
def own_broker() -> Iterator[RabbitMQ]:
    """A broker of the test's own, to kill and to block."""
    with tempfile.TemporaryDirectory(prefix="batchtask-", ignore_cleanup_errors=True) as directory:
        installation = broker_installation(Path(directory), ENVIRON, print)
        broker = RabbitMQ(installation=installation, directory=Path(directory))
        broker.start()
        yield broker
        broker.stop()
