"""What both broker clients hold to when they connect."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from batchtask import connecting
from batchtask.connecting import LONGEST_BACKOFF_SECONDS, Closed, unless_ended
from batchtask.errors import BrokerUnavailable, TopologyMismatch


@pytest.mark.parametrize("version", ["3.10.0", "3.13.7-rc.1", "4.3.5", "10.0"])
def test_a_broker_that_is_new_enough_is_taken(version: str) -> None:
    connecting.require_version({"version": version})


@pytest.mark.parametrize("properties", [{"product": "RabbitMQ", "version": "3.9.29"}, {"version": "unknown"}, {}])
def test_a_broker_that_is_too_old_is_refused_with_the_version_to_install(properties: dict[str, str]) -> None:
    with pytest.raises(BrokerUnavailable, match=r"too old; install RabbitMQ 3\.10 or newer"):
        connecting.require_version(properties)


def test_pauses_grow_to_a_bound() -> None:
    pauses = list(islice(connecting.pauses(), 30))
    assert 0 < pauses[0] < 0.2
    assert max(pauses) <= LONGEST_BACKOFF_SECONDS
    assert min(pauses[10:]) >= LONGEST_BACKOFF_SECONDS / 2


def test_a_wait_ends_with_what_it_waits_for_or_with_whoever_would_bring_it() -> None:
    async def fail() -> None:
        raise TopologyMismatch("batchtask.tasks", "406")

    async def act() -> None:
        for_ever = asyncio.Event()
        keeper = asyncio.create_task(for_ever.wait())
        await unless_ended(asyncio.sleep(0), keeper)  # type: ignore[arg-type]

        failing = asyncio.create_task(fail())
        with pytest.raises(TopologyMismatch):
            await unless_ended(for_ever.wait(), failing)  # type: ignore[arg-type]

        keeper.cancel()
        with pytest.raises(Closed):
            await unless_ended(for_ever.wait(), keeper)  # type: ignore[arg-type]

    asyncio.run(act())
