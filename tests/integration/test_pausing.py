"""Telling workers to pause: what stands in the database, said once or many times, by one or by several."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, insert, update

from batchtask.errors import WorkerNotFound
from batchtask.pausing import EVERYBODY, Pausing, key_of, scope_of, standing
from batchtask.tables_workers import pause, worker
from projections.workers import forget_gone

NAME = "web1.example.com/4711/9f3a2b1c"


@pytest.fixture(autouse=True)
def clean(engine: Engine) -> Iterator[None]:
    yield
    with engine.begin() as connection:
        connection.execute(delete(pause))
        connection.execute(delete(worker))


@pytest.fixture
def pausing(engine: Engine) -> Pausing:
    return Pausing(engine)


def add_worker(engine: Engine, name: str = NAME) -> None:
    host, pid, _ = name.split("/")
    row = {"id": name, "host": host, "pid": int(pid), "version": "1", "slots": 4, "running": 0, "draining": False}
    with engine.begin() as connection:
        connection.execute(insert(worker), row)


def test_nothing_is_paused_at_first(pausing: Pausing) -> None:
    assert pausing.standing() is None


def test_who_paused_and_why_is_kept(pausing: Pausing) -> None:
    said = pausing.pause("kari", "new release")

    assert pausing.standing() == said
    assert (said.paused_by, said.reason) == ("kari", "new release")
    assert said.paused_at.tzinfo is not None


def test_a_pause_that_stands_stays_as_the_first_one_said(pausing: Pausing) -> None:
    first = pausing.pause("kari", "new release")

    assert pausing.pause("ola", "me too") == first


def test_resuming_ends_it_and_tells_what_ended(pausing: Pausing) -> None:
    said = pausing.pause("kari")

    assert pausing.resume() == said
    assert pausing.standing() is None
    assert pausing.resume() is None


def test_one_worker_is_paused_beside_all(engine: Engine, pausing: Pausing) -> None:
    add_worker(engine)
    pausing.pause("kari", "all")
    pausing.pause("ola", "one", NAME)

    pausing.resume()

    with engine.connect() as connection:
        kept = standing(connection, NAME)
    assert kept is not None
    assert kept.paused_by == "ola"
    assert pausing.standing() is None


def test_a_worker_that_is_not_there_cannot_be_paused(pausing: Pausing) -> None:
    with pytest.raises(WorkerNotFound, match="batchtask workers"):
        pausing.pause("kari", "", "nobody/1/2")


def test_many_who_pause_at_once_are_told_the_same(pausing: Pausing) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda number: pausing.pause(f"user {number}"), range(16)))

    assert len({said.paused_by for said in told}) == 1


def test_a_name_goes_into_a_path_and_back() -> None:
    assert key_of(NAME) == "web1.example.com:4711:9f3a2b1c"
    assert scope_of(key_of(NAME)) == NAME
    assert scope_of("") == EVERYBODY


def test_workers_that_died_a_day_ago_are_forgotten_with_their_pauses(engine: Engine, pausing: Pausing) -> None:
    other = "web2/1/0a0b0c0d"
    for name in (NAME, other):
        add_worker(engine, name)
        pausing.pause("kari", "", name)
    everybody = pausing.pause("kari")
    with engine.begin() as connection:
        older = worker.c.seen_at - timedelta(days=1, minutes=1)
        connection.execute(update(worker).where(worker.c.id == other).values(seen_at=older))

    forget_gone(engine)

    with engine.connect() as connection:
        assert connection.execute(worker.select()).scalars().all() == [NAME]
        assert standing(connection, NAME) is not None
        assert standing(connection, other) is None
    assert pausing.standing() == everybody
