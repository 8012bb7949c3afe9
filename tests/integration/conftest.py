from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Engine

from batchtask.database import make_engine
from batchtask.store import EventStore


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
