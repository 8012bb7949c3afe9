"""Reports as users get them: submitted, printed by a worker's child, killed in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from batchtask.demo.sample_crm import SampleCrm, load_sample_crm
from projections.rows import State
from tests.system import System

MANY = text("""
INSERT INTO crm7.contact (contact_id, name, country_id, business_idx, category_idx, associate_id, registered,
       registered_associate_id, updated, updated_associate_id, updatedcount)
SELECT 100000 + n, 'Firma Ærlig ' || n, 1, 1, 1, 1, now(), 1, now(), 1, 0 FROM generate_series(1, 40000) AS n
""")


@pytest.fixture
def crm(database_url: str) -> SampleCrm:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        found = load_sample_crm(connection)
        connection.execute(MANY)
    engine.dispose()
    return found


def test_a_report_whose_process_is_killed_is_printed_by_the_next_attempt(crm: SampleCrm, system: System) -> None:
    system.projections().wait_ready()
    worker = system.worker()
    worker.wait_ready()
    task_id = system.producer.submit(
        "report", {"report_id": str(crm.reports["Company list"]), "file_type": "txt"}, owner=crm.associate_id
    )
    system.wait(lambda: "Line" in ((system.row(task_id) or {}).get("progressdescription") or ""))

    worker.kill_children()

    row = system.wait_finished(task_id, seconds=60)
    assert row["state"] == State.Succeeded
    assert row["startcount"] == 2
    assert row["response"] == "Company list: 40583 records."
    result = Path(row["filename"])
    assert [path.name for path in result.parent.iterdir()] == ["Company list.txt"]
    assert result.read_text().count("Firma Ærlig ") == 40_000


def test_a_refusal_reaches_the_user_as_one_sentence(crm: SampleCrm, system: System) -> None:
    system.projections().wait_ready()
    system.worker().wait_ready()
    task_id = system.producer.submit("report", {"report_id": "4711"}, owner=crm.associate_id)
    row = system.wait_finished(task_id)
    assert row["state"] == State.Failed
    assert row["response"] == "There is no report 4711: it may have been deleted."
