"""Status monitors by a real worker that is killed while it exchanges values."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from projections.rows import State
from tests.status_monitor_support import COMPANY, CUSTOMER, CUSTOMERS, Crm
from tests.system import System
from tests.udef_support import holding, waiting
from worker.tasks.status_monitors.exclusion import Work

MONITORS = 12
COMPANIES = 20_000
HOLD = text("SELECT pg_advisory_xact_lock(:work, statusdef_id) FROM crm7.statusdef")


@pytest.fixture
def crm(system: System) -> Crm:
    crm = Crm(system.engine)
    crm.write(
        f"""INSERT INTO crm7.contact (contact_id, name, country_id, business_idx, category_idx, registered,
            registered_associate_id, updated, updated_associate_id, updatedcount)
        SELECT number, 'Company ' || number, 0, 0, {CUSTOMER}, now(), 0, now(), 0, 0
        FROM generate_series(1, {COMPANIES}) number"""
    )
    crm.configure(COMPANY)
    return crm


def test_a_worker_that_is_killed_between_and_within_monitors_ends_with_the_same_values(
    system: System, crm: Crm
) -> None:
    monitors = [crm.monitor(f"Customers {number}", CUSTOMERS) for number in range(MONITORS)]
    worker = system.worker(max_tasks=1)
    system.projections()
    worker.wait_ready()

    task_id = system.producer.submit("status-monitors", {"what": "all"})
    system.wait(lambda: generated(crm) >= 2)
    worker.kill_children()
    system.wait(lambda: generated(crm) >= 5)
    worker.kill()
    assert generated(crm) < MONITORS
    system.worker(max_tasks=1)
    row = system.wait_finished(task_id, seconds=60)

    assert (row["state"], row["response"].replace("\u202f", "")) == (
        State.Succeeded,
        "Counters of companies regenerated: 0 added, 0 changed, 0 removed, 0 unchanged; 2 skipped, see the log. "
        f"{MONITORS} status monitors regenerated: {MONITORS * COMPANIES} added, 0 removed, 0 unchanged.",
    )
    assert len(system.attempts(task_id)) == 3
    every_company = list(range(1, COMPANIES + 1))
    assert all(crm.signalled(monitor) == every_company for monitor in monitors)
    system.wait(lambda: crm.read("SELECT count(*) FROM crm7.systemevent") == [(0,)])


def test_the_query_of_a_process_that_was_killed_does_not_keep_the_next_attempt_waiting(
    system: System, crm: Crm
) -> None:
    crm.monitor("Customers", CUSTOMERS)
    worker = system.worker(max_tasks=1)
    system.projections()
    worker.wait_ready()
    with holding(system.engine, "LOCK TABLE crm7.contact IN ACCESS EXCLUSIVE MODE"):  # the query takes for ever
        task_id = system.producer.submit("status-monitors", {})
        system.wait(lambda: waiting(system.engine))
        first = waiting(system.engine)
        worker.kill_children()
        system.wait(lambda: waiting(system.engine) and not waiting(system.engine) & first, seconds=30)
    assert system.wait_finished(task_id, seconds=60)["state"] == State.Succeeded


def test_the_rebuild_event_goes_with_a_task_that_ends_without_its_worker(system: System, crm: Crm) -> None:
    """The task is stopped while its attempt is gone: nobody of its code is there to remove the event."""
    crm.monitor("Customers", CUSTOMERS)
    with system.engine.begin() as other:
        other.execute(HOLD, {"work": Work.MONITOR})  # as another regeneration would
        worker = system.worker(max_tasks=1)
        system.projections()
        worker.wait_ready()
        task_id = system.producer.submit("status-monitors", {})
        system.wait(lambda: crm.read("SELECT eventkey FROM crm7.systemevent") == [("ROURebuild",)])
        worker.kill()
        system.producer.cancel(task_id)
        system.worker(max_tasks=1)
        assert system.wait_finished(task_id, seconds=60)["state"] is not State.Succeeded
        system.wait(lambda: crm.read("SELECT count(*) FROM crm7.systemevent") == [(0,)])


def generated(crm: Crm) -> int:
    return int(crm.read("SELECT count(*) FROM crm7.statusdef WHERE lastgenerated IS NOT NULL")[0][0])
