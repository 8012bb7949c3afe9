"""Last chances run one after the other, and alone as far as that can be had."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from batchtask.identifiers import new_task_id
from tests.children import until
from worker.running import Holding
from worker.solitude import Solitude

LONG_SECONDS = 20.0
SHORT_SECONDS = 0.05


class Place:
    """A worker's messages in hand, and what became of the last chances among them."""

    def __init__(self, *, wait_seconds: float = LONG_SECONDS, alone_seconds: float = LONG_SECONDS) -> None:
        self._holding: dict[Any, Holding] = {}
        self.solitude = Solitude(self._holding, wait_seconds=wait_seconds, alone_seconds=alone_seconds)
        self.said: list[str] = []
        self.gives_up = False

    def begin(self, name: str) -> Holding:
        """A message that has its slot; it is settled by `end`."""
        holding = Holding(name, cast(Any, None), 0.0, started=True)
        self._holding[new_task_id()] = holding
        return holding

    def end(self, holding: Holding) -> None:
        [task_id] = [task_id for task_id, one in self._holding.items() if one is holding]
        del self._holding[task_id]

    def last_chance(self, name: str, ends: asyncio.Event) -> asyncio.Task[None]:
        return asyncio.create_task(self._last_chance(self.begin(name), ends))

    async def _last_chance(self, holding: Holding, ends: asyncio.Event) -> None:
        async with self.solitude.alone(holding, lambda: self.gives_up) as granted:
            self.said.append(f"{holding.message_id} {'runs' if granted else 'is deferred'}")
            if granted:
                await ends.wait()
        self.end(holding)


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(cast(Any, test()))

    run.__name__ = test.__name__
    return run


@in_a_loop
async def test_a_last_chance_runs_at_once_where_nothing_runs_and_keeps_others_out_until_it_ends() -> None:
    place, ends = Place(), asyncio.Event()
    running = place.last_chance("a", ends)
    await until(lambda: place.said == ["a runs"])
    newcomer = place.begin("n")

    assert place.solitude.keeps_out(newcomer)
    ends.set()
    await running
    assert not place.solitude.keeps_out(newcomer)


@in_a_loop
async def test_it_waits_for_those_that_run_and_lets_nobody_begin_meanwhile() -> None:
    place, ends = Place(), asyncio.Event()
    neighbours = [place.begin("n"), place.begin("m")]
    running = place.last_chance("a", ends)
    for neighbour in neighbours:
        await until(lambda: place.solitude.sought)
        assert place.said == []
        place.end(neighbour)

    await until(lambda: place.said == ["a runs"])
    ends.set()
    await running


@in_a_loop
async def test_it_runs_beside_those_that_have_not_ended_in_time_but_lets_nobody_else_begin() -> None:
    place, ends = Place(wait_seconds=SHORT_SECONDS), asyncio.Event()
    place.begin("for days")
    running = place.last_chance("a", ends)

    await until(lambda: place.said == ["a runs"])
    assert place.solitude.sought
    ends.set()
    await running


@in_a_loop
async def test_two_at_once_run_one_after_the_other() -> None:
    place, first, second = Place(), asyncio.Event(), asyncio.Event()
    running = [place.last_chance("a", first), place.last_chance("b", second)]
    await until(lambda: place.said == ["a runs"])

    first.set()
    await until(lambda: place.said == ["a runs", "b runs"])
    assert place.solitude.sought
    second.set()
    await asyncio.gather(*running)
    assert not place.solitude.sought


@in_a_loop
async def test_one_never_runs_beside_another_that_takes_long_but_is_deferred() -> None:
    place, first = Place(wait_seconds=SHORT_SECONDS), asyncio.Event()
    running = place.last_chance("a", first)
    await until(lambda: place.said == ["a runs"])

    await place.last_chance("b", asyncio.Event())

    assert place.said == ["a runs", "b is deferred"]
    assert place.solitude.sought
    first.set()
    await running


@in_a_loop
async def test_who_gives_up_is_deferred_and_keeps_nobody_out() -> None:
    place = Place()
    place.begin("n")
    waiting = place.last_chance("a", asyncio.Event())
    await until(lambda: place.solitude.sought)

    place.gives_up = True

    await waiting
    assert place.said == ["a is deferred"]
    assert not place.solitude.sought


@in_a_loop
async def test_whoever_runs_alone_for_very_long_becomes_a_neighbour_like_others() -> None:
    place, ends = Place(wait_seconds=SHORT_SECONDS, alone_seconds=SHORT_SECONDS), asyncio.Event()
    running = [place.last_chance("a", ends)]
    await until(lambda: place.said == ["a runs"] and not place.solitude.sought)

    running.append(place.last_chance("b", ends))

    await until(lambda: place.said == ["a runs", "b runs"])
    ends.set()
    await asyncio.gather(*running)


@in_a_loop
async def test_whoever_is_cancelled_while_it_waits_keeps_nobody_out() -> None:
    place = Place()
    place.begin("n")
    waiting = place.last_chance("a", asyncio.Event())
    await until(lambda: place.solitude.sought)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not place.solitude.sought
