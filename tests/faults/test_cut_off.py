"""A worker that is only cut off from its broker has killed nothing, and its task is not charged for it."""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from batchtask.events import AttemptLost, AttemptSurvived
from projections.rows import State
from tests.brokers import through
from tests.proxy import Proxy, proxied
from tests.system import System

#: More often than the process of a task may die.
CUTS = 4


@pytest.mark.slow
def test_a_long_task_outlives_any_number_of_cut_connections(system: System, amqp_url: str) -> None:
    with ExitStack() as stack:
        lines: dict[str, Proxy] = {}
        for _ in range(2):
            line = stack.enter_context(proxied(urlsplit(amqp_url).port or 0))
            part = system.worker(amqp_url=through(amqp_url, line.port), heartbeat_seconds=1)
            lines[str(part.pid)] = line
        system.projections()
        for part in system.parts:
            part.wait_ready()
        task_id = system.submit_traced("deaf")

        for attempt in range(1, CUTS + 1):
            system.wait_started(task_id, attempts=attempt)
            worker = system.attempts(task_id)[-1].worker
            lines[worker.split("/")[1]].cut()
            system.wait(lambda fence=attempt: AttemptSurvived(fence=fence) in system.history(task_id))  # type: ignore[misc]
        system.wait_started(task_id, attempts=CUTS + 1)
        system.open_gates(task_id)

        assert system.wait_finished(task_id)["state"] == State.Succeeded
    kinds = [type(event) for event in system.history(task_id)]
    assert (kinds.count(AttemptLost), kinds.count(AttemptSurvived)) == (CUTS, CUTS)
