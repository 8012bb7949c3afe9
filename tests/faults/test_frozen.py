"""A host that is frozen, or vanishes, within a transaction: those who wait for its locks go on in seconds."""

from __future__ import annotations

import pytest

from batchtask.database import IDLE_SECONDS
from producer.task_request import TaskRequest
from tests.outcome import assert_all_succeeded
from tests.system import System
from tests.tally import STEPS, make_tally, tallied

QUICK = {"heartbeat_seconds": 1, "lease_seconds": 5, "reconcile_seconds": 1}


@pytest.mark.parametrize("point", ["scheduler.published", pytest.param("scheduler.written", marks=pytest.mark.slow)])
def test_a_scheduler_is_frozen_while_it_releases(point: str, system: System) -> None:
    """A worker may wait for the release that is not committed, with all its other tasks."""
    make_tally(system)
    system.freezing("projections", point, **QUICK).wait_ready()
    system.worker(**QUICK)
    request = TaskRequest(name="tally", parameters={"steps": STEPS}, delay_seconds=0.1)
    ids = system.producer.submit_many([request])
    system.wait(lambda: system.crashed(point))
    system.projections(**QUICK)

    ids += system.producer.submit_many(TaskRequest(name="tally", parameters={"steps": STEPS}) for _ in range(5))

    system.wait_all_finished(ids, seconds=IDLE_SECONDS + 20)
    assert_all_succeeded(system, ids)
    assert tallied(system) == sorted((task_id, step) for task_id in ids for step in range(STEPS))
