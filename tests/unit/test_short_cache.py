"""What was found a moment ago is not looked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from batchtask.http.short_cache import ShortCache


class Search:
    """Counts how often it is asked; waits until it is let go."""

    def __init__(self, *, fails: bool = False) -> None:
        self.times = 0
        self.fails = fails
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.times += 1
        await self.go.wait()
        if self.fails:
            raise OSError("away")
        return self.times


def run(story: Coroutine[None, None, None]) -> None:
    asyncio.run(story)


def test_an_answer_is_kept_for_its_time_and_then_looked_for_again() -> None:
    async def story() -> None:
        now, search = [0.0], Search()
        cache: ShortCache[int] = ShortCache(30, clock=lambda: now[0])
        search.go.set()
        assert [await cache.get(b"a", search) for _ in range(3)] == [1, 1, 1]
        now[0] = 29.9
        assert await cache.get(b"a", search) == 1
        now[0] = 30
        assert await cache.get(b"a", search) == 2
        assert await cache.get(b"b", search) == 3
        cache.forget(b"a")
        assert await cache.get(b"a", search) == 4

    run(story())


def test_those_who_ask_at_once_share_a_search_and_one_who_leaves_does_not_end_it() -> None:
    async def story() -> None:
        search = Search()
        cache: ShortCache[int] = ShortCache(30)
        first, second = (asyncio.create_task(cache.get(b"a", search)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        search.go.set()
        assert await second == 1
        with pytest.raises(asyncio.CancelledError):
            await first

    run(story())


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    async def story() -> None:
        search = Search(fails=True)
        cache: ShortCache[int] = ShortCache(30)
        waiting = [asyncio.create_task(cache.get(b"a", search)) for _ in range(3)]
        search.go.set()
        assert [type(answer) for answer in await asyncio.gather(*waiting, return_exceptions=True)] == [OSError] * 3
        search.fails = False
        assert await cache.get(b"a", search) == 2

    run(story())


def test_no_more_answers_are_kept_than_there_is_room_for() -> None:
    async def story() -> None:
        search = Search()
        search.go.set()
        cache: ShortCache[int] = ShortCache(30, size=2)
        assert [await cache.get(key, search) for key in (b"a", b"b", b"c", b"c", b"b", b"a")] == [1, 2, 3, 3, 2, 4]

    run(story())
