"""Group commit: everybody gets their own answer, and whoever comes meanwhile shares the next flush."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from batchtask.batcher import Batcher


class Doubler:
    """Doubles numbers, refuses negative ones, and waits at a gate that the test opens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[list[int]] = []

    async def flush(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        await self.gate.wait()
        if 13 in items:
            raise OSError("the database went away")
        return [item * 2 if item >= 0 else ValueError(item) for item in items]


def test_what_comes_during_a_flush_goes_together_into_the_next_one() -> None:
    async def act() -> None:
        doubler = Doubler()
        batcher = Batcher(doubler.flush)
        doubler.gate.clear()
        first = batcher.submit(1)
        await asyncio.sleep(0)
        others = [batcher.submit(item) for item in (2, 3, 4)]
        await asyncio.sleep(0)
        doubler.gate.set()

        assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
        assert doubler.batches == [[1], [2, 3, 4]]

    asyncio.run(act())


def test_no_flush_is_larger_than_allowed() -> None:
    async def act() -> None:
        doubler = Doubler()
        batcher = Batcher(doubler.flush, largest=3)
        assert await asyncio.gather(*map(batcher.submit, range(8))) == list(range(0, 16, 2))
        assert [len(batch) for batch in doubler.batches] == [3, 3, 2]

    asyncio.run(act())


def test_a_refusal_reaches_its_own_item_and_a_failed_flush_all_of_its_items() -> None:
    async def act() -> None:
        doubler = Doubler()
        batcher = Batcher(doubler.flush, largest=3)
        answers = [batcher.submit(item) for item in (1, -1, 2, 13, 3, 4, 5)]
        results = await asyncio.gather(*answers, return_exceptions=True)

        assert [results[0], results[2], results[6]] == [2, 4, 10]
        assert isinstance(results[1], ValueError)
        assert [type(result) for result in results[3:6]] == [OSError] * 3

    asyncio.run(act())


def test_an_item_that_was_given_up_does_not_disturb_the_others() -> None:
    async def act() -> None:
        doubler = Doubler()
        batcher = Batcher(doubler.flush)
        given_up, kept = batcher.submit(1), batcher.submit(2)
        given_up.cancel()

        assert await kept == 4
        with pytest.raises(asyncio.CancelledError):
            await given_up

    asyncio.run(act())


def test_idle_waits_for_everything_that_was_handed_in() -> None:
    async def act() -> None:
        doubler = Doubler()
        batcher = Batcher(doubler.flush, largest=1)
        answers = [batcher.submit(item) for item in range(5)]
        await batcher.idle()
        assert all(answer.done() for answer in answers)
        await batcher.idle()

    asyncio.run(act())


def test_a_linger_gathers_more_but_does_not_hold_the_first_item_after_a_pause() -> None:
    async def act() -> None:
        doubler = Doubler()
        batcher = Batcher(doubler.flush, linger_seconds=0.1)
        assert await batcher.submit(1) == 2
        second = batcher.submit(2)
        await asyncio.sleep(0)
        third = batcher.submit(3)

        assert [await second, await third] == [4, 6]
        assert doubler.batches == [[1], [2, 3]]

    asyncio.run(act())
