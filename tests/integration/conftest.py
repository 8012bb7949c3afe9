from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from multiprocessing import forkserver

import pytest
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.store import EventStore
from tests.children import SETTINGS, closed
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
