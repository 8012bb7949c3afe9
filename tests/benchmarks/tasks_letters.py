"""Mail merge on ten thousand recipients: seconds, and the most memory that its process took.

Each kind of result is made by a process of its own, because the peak of a process does not fall again.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from batchtask import crm7
from batchtask.crm7 import allocate_ids
from batchtask.demo.sample_crm import load_sample_crm, write_sample_template
from batchtask.demo.sample_rows import SampleRows
from batchtask.testing import FakeContext, run_task

LETTERS = 10_000
KINDS: dict[str, dict[str, Any]] = {
    "letters_docx": {"template": "letter.docx"},
    "letters_files": {"template": "letter.docx", "separate_files": True},
    "letters_labels": {"output": "labels", "label_layout_id": 0},
}


def measure(database_url: str, folder: Path, letters: int = LETTERS) -> dict[str, float]:
    """Write to `letters` companies in each way; the keys end in `_s` (seconds) and `_mb` (peak of the process).

    Args:
        database_url: Of a migrated database, which is filled.
        folder: For the template and the results.
    """
    engine = create_engine(database_url)
    with engine.begin() as connection:
        load_sample_crm(connection)
        selection_id = _fill(connection, letters)
        layout_id = _add_layout(connection)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()
    (folder / "template").mkdir(parents=True, exist_ok=True)
    write_sample_template(folder / "template" / "letter.docx")
    measured: dict[str, float] = {}
    for kind, parameters in KINDS.items():
        given = {**parameters, "selection_id": selection_id, "file_name": kind}
        if "label_layout_id" in given:
            given["label_layout_id"] = layout_id
        measured |= {f"{kind}_{unit}": value for unit, value in _in_a_process(database_url, folder, given).items()}
    return measured


def _in_a_process(database_url: str, folder: Path, parameters: dict[str, Any]) -> dict[str, float]:
    arguments = json.dumps({"database_url": database_url, "folder": str(folder), "parameters": parameters})
    command = [sys.executable, "-m", "tests.benchmarks.tasks_letters", arguments]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def _run(database_url: str, folder: str, parameters: dict[str, Any]) -> dict[str, float]:
    from worker.tasks.mail_merge import mail_merge

    context = FakeContext(database_url=database_url, folder=Path(folder), archive_dir=Path(folder), owner=0)
    began = time.perf_counter()
    run_task(mail_merge, context, **parameters)
    seconds = time.perf_counter() - began
    return {"s": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _fill(connection: Connection, letters: int) -> int:
    """Make a selection of companies with an address and a person each, in many scripts, from those of the sample."""
    name = f"Benchmark {random.randrange(10**9)}"
    rows = SampleRows(connection)
    selection = rows.add(crm7.selection, name=name, includeperson=0, targettablenumber=5)
    rows.write(connection)
    companies = allocate_ids(connection, crm7.contact, letters)
    persons = allocate_ids(connection, crm7.person, letters)
    addresses = allocate_ids(connection, crm7.address, letters)
    members = allocate_ids(connection, crm7.selectionmember, letters)
    values = {
        "letters": letters,
        "contact": companies.start,
        "person": persons.start,
        "address": addresses.start,
        "member": members.start,
        "selection": selection["selection_id"],
    }
    for statement in _STATEMENTS:
        connection.execute(text(statement), values)
    return int(selection["selection_id"])


_AUDIT = "registered, registered_associate_id, updated, updated_associate_id, updatedcount"
_AUDITED = "now(), 1, now(), 1, 0"
_STATEMENTS = (
    """CREATE TEMPORARY TABLE model ON COMMIT DROP AS
       SELECT row_number() OVER (ORDER BY p.person_id) - 1 AS place, count(*) OVER () AS models, c.name, c.country_id,
              p.firstname, p.lastname, p.mrmrs, a.address1, a.zipcode, a.city
         FROM crm7.person p JOIN crm7.contact c USING (contact_id)
         JOIN crm7.address a ON a.owner_id = c.contact_id AND a.atype_idx = 2 WHERE c.country_id <> 0""",
    f"""INSERT INTO crm7.contact (contact_id, name, number1, country_id, business_idx, category_idx, {_AUDIT})
        SELECT :contact + n, m.name, 'B-' || n, m.country_id, 1, 1, {_AUDITED}
          FROM generate_series(0, :letters - 1) n JOIN model m ON m.place = n % m.models""",
    f"""INSERT INTO crm7.person (person_id, contact_id, rank, firstname, lastname, mrmrs, country_id, business_idx,
               category_idx, {_AUDIT})
        SELECT :person + n, :contact + n, 1, m.firstname, m.lastname, m.mrmrs, m.country_id, 1, 1, {_AUDITED}
          FROM generate_series(0, :letters - 1) n JOIN model m ON m.place = n % m.models""",
    f"""INSERT INTO crm7.address (address_id, owner_id, atype_idx, address1, zipcode, city, {_AUDIT})
        SELECT :address + n, :contact + n, 1, m.address1, m.zipcode, m.city, {_AUDITED}
          FROM generate_series(0, :letters - 1) n JOIN model m ON m.place = n % m.models""",
    """INSERT INTO crm7.selectionmember (selectionmember_id, selection_id, contact_id, person_id)
       SELECT :member + n, :selection, :contact + n, :person + n FROM generate_series(0, :letters - 1) n""",
    "DELETE FROM crm7.consentperson",
)


def _add_layout(connection: Connection) -> int:
    rows = SampleRows(connection)
    margins = dict.fromkeys(("topmargin", "bottommargin", "leftmargin", "rightmargin"), 500)
    paper = {"paperwidth": 11906, "paperheight": 16838, "countcolumns": 3, "countrows": 8, "orientation": 1}
    row = rows.add(crm7.sorlabellayout, name="3 x 8", **paper, **margins)
    rows.write(connection)
    return int(row["sorlabellayout_id"])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_run(**json.loads(sys.argv[1]))))
