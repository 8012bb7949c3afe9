"""How long a report of 3 500 rows takes as a PDF, and one of 100 000 as text, with the rights of a user; memory."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from batchtask.demo.sample_crm import SampleCrm, load_sample_crm
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, run_task
from worker.tasks.report import report

ROWS, MANY_ROWS = 3_500, 100_000

#: Companies like those of the sample, with their addresses, as many as are wanted.
_MORE = [
    """INSERT INTO crm7.contact (contact_id, name, department, number1, country_id, business_idx, category_idx,
              associate_id, registered, registered_associate_id, updated, updated_associate_id, updatedcount)
       SELECT 100000 + n, c.name || ' ' || n, c.department, 'M-' || n, c.country_id, c.business_idx, c.category_idx,
              c.associate_id, now(), 1, now(), 1, 0
         FROM generate_series(1, :rows) AS n
         JOIN crm7.contact c ON c.contact_id = 2 + n % 500""",
    """INSERT INTO crm7.address (address_id, owner_id, atype_idx, zipcode, address1, city, registered,
              registered_associate_id, updated, updated_associate_id, updatedcount)
       SELECT 1000000 + c.contact_id, c.contact_id, 1, '0150', 'Storgata 1', 'Ålesund', now(), 1, now(), 1, 0
         FROM crm7.contact c WHERE c.contact_id > 100000""",
    "ANALYZE",
]


def measure(database_url: str, folder: Path) -> dict[str, float]:
    """Print the sample's company list, restricted to as many rows as each mark is about."""
    crm = _fill(database_url)
    number = crm.reports["Company list"]
    few = [{"name": "contactId", "operator": "between", "values": ["100001", str(100_000 + ROWS)]}]
    many = [{"name": "contactId", "operator": ">", "values": ["100000"]}]
    pdf_seconds = _print(database_url, folder, crm, report_id=number, restrictions=few)
    text_seconds = _print(database_url, folder, crm, report_id=number, restrictions=many, file_type="txt")
    return {
        "pdf_seconds": pdf_seconds,
        "text_seconds": text_seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _fill(database_url: str) -> SampleCrm:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        crm = load_sample_crm(connection)
        for statement in _MORE:
            connection.execute(text(statement), {"rows": MANY_ROWS} if ":rows" in statement else {})
    engine.dispose()
    return crm


def _print(database_url: str, folder: Path, crm: SampleCrm, **parameters: Any) -> float:
    context = FakeContext(database_url=database_url, folder=folder, owner=crm.associate_id)
    began = time.perf_counter()
    outcome = run_task(report, context, **parameters)
    assert isinstance(outcome, Succeeded)
    return time.perf_counter() - began
