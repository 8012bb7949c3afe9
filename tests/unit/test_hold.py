"""A delivery that comes while the worker has its message in hand already."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from batchtask.broker import Delivery
from tests.desks import claim_request, command
from worker.attempt import hold
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
        holding={request.command.id: holding},
        leased={holding} if leased else set(),
        consumer=SimpleNamespace(settle=settled.append),
    )

    assert hold(second, request, cast(Deps, deps)) is None

    assert holding.delivery is second
    assert settled == ([second] if leased else [])
