"""A delivery that comes while the worker has its message in hand already."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from batchtask.broker import Delivery
from tests.desks import claim_request, command
from worker.attempt import as_held, hold
from worker.claims import ClaimRequest
from worker.deps import Deps
from worker.running import Holding


def delivery(epoch: int) -> Delivery:
    fields = {"tag": 1, "epoch": epoch, "body": b"", "redelivered": epoch > 1, "headers": {}}
    return cast(Delivery, SimpleNamespace(**fields))


@pytest.mark.parametrize("leased", [False, True], ids=["held", "leased"])
def test_a_message_that_comes_again_after_a_reconnect_is_settled_at_once_only_if_its_task_is_leased(
    leased: bool,
) -> None:
    """A held one is settled with its outcome; nobody would ever settle a leased one, for that was done before."""
    request = claim_request(command())
    settled: list[Delivery] = []
    first, second = delivery(1), delivery(2)
    holding = Holding(request.message_id, first, 0.0)
    deps = SimpleNamespace(
        holding={(request.command.id, request.message_id): holding},
        leased={holding} if leased else set(),
        consumer=SimpleNamespace(settle=settled.append),
    )

    assert hold(second, request, cast(Deps, deps)) is None

    assert holding.delivery is second
    assert settled == ([second] if leased else [])


async def hold_all(deliveries: Sequence[tuple[Delivery, ClaimRequest]], deps: Deps) -> list[Holding | None]:
    return [hold(one, request, deps) for one, request in deliveries]


def nothing_in_hand() -> Deps:
    return cast(Deps, SimpleNamespace(holding={}, leased=set(), consumer=None))


def test_of_two_messages_of_one_task_each_is_known_again_after_a_reconnect() -> None:
    """Else the one that is not would claim what runs already, in this very worker, and run it a second time."""
    wanted, deps = command(), nothing_in_hand()
    requests = [claim_request(wanted, "m1"), claim_request(wanted, "m2")]
    came = [(delivery(1), request) for request in requests]
    come_again = [(delivery(2), request) for request in reversed(requests)]

    held = asyncio.run(hold_all([*came, *come_again], deps))

    assert held[2:] == [None, None]
    assert [one and one.delivery.epoch for one in held[:2]] == [2, 2]


def test_a_copy_with_the_id_of_what_is_in_hand_proves_nothing_about_it() -> None:
    request, deps = claim_request(command()), nothing_in_hand()

    held, copy = asyncio.run(hold_all([(delivery(2), request)] * 2, deps))

    assert held is not None
    assert copy is not None
    assert as_held(request, held, deps).redelivered
    assert not as_held(request, copy, deps).redelivered
