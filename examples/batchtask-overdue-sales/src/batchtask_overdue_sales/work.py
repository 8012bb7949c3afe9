"""The work of `overdue-sales`. Killed at any line, it goes on behind the last batch that was committed."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from batchtask import crm7
from batchtask.definitions import TaskContext
from batchtask.outcomes import Succeeded
from batchtask_overdue_sales import OverdueSales
from batchtask_overdue_sales.mail import NOT_SENT, send

BATCH = 200  #: follow-ups in one transaction

#: The next sales, and whether somebody has an activity for them already that is still to be done. By number, so that
#: "behind the last one" means the same in every attempt.
NEXT = text("""
    SELECT s.sale_id, s.contact_id, s.person_id, s.project_id, s.associate_id, s.group_idx, s.heading,
           EXISTS (SELECT FROM crm7.appointment a WHERE a.sale_id = s.sale_id AND a.status IN (1, 2)) AS has_one
      FROM crm7.sale s
     WHERE s.status = 1 AND s.saledate > '1900-01-01' AND s.saledate < :until AND s.sale_id > :after
     ORDER BY s.sale_id LIMIT :batch
""")
COUNT = text("""
    SELECT count(*) FROM crm7.sale WHERE status = 1 AND saledate > '1900-01-01' AND saledate < :until
""")
LIST = text("""
    SELECT s.sale_id, c.name AS company, s.heading, s.amount, s.saledate::date AS sale_date, u.name AS responsible
      FROM crm7.sale s
      LEFT JOIN crm7.contact c ON c.contact_id = s.contact_id
      LEFT JOIN crm7.associate u ON u.associate_id = s.associate_id
     WHERE s.status = 1 AND s.saledate > '1900-01-01' AND s.saledate < :until
     ORDER BY s.saledate, s.sale_id
""")
BOOK = text("""
    INSERT INTO crm7.appointment (appointment_id, associate_id, group_idx, task_idx, contact_id, person_id,
        project_id, sale_id, done, do_by, activedate, type, status, owned_externally,
        registered, registered_associate_id, updated, updated_associate_id, updatedcount)
    VALUES (:id, :associate_id, :group_idx, 0, :contact_id, :person_id, :project_id,
        :sale_id, '1760-01-01', cast(:until AS date) + :due_days, cast(:until AS date) + :due_days, 2, 1, 0,
        now(), :owner, now(), :owner, 0)
""")


def follow_up_all(context: TaskContext, parameters: OverdueSales) -> Succeeded:
    """Book, list, report; each step may have been done by an earlier attempt."""
    booked, left_out = _book(context, parameters)
    found = _write_list(context, parameters, path := context.result_path("overdue-sales.csv"))
    told = f"{booked} follow-ups were booked, {left_out} sales have one already."
    if parameters.report_to and found:
        told += _report(context, parameters, path, told)
    return Succeeded(response=told, file_name=str(path))


def _book(context: TaskContext, parameters: OverdueSales) -> tuple[int, int]:
    done = context.checkpoint or {"after": 0, "booked": 0, "left_out": 0}
    with context.connect() as connection:
        count = connection.execute(COUNT, {"until": parameters.until}).scalar_one()
    while True:
        context.check_cancelled()
        with context.transaction() as session:
            wanted = {"until": parameters.until, "after": done["after"], "batch": BATCH}
            sales = session.execute(NEXT, wanted).mappings().all()
            if not sales:
                return done["booked"], done["left_out"]
            missing = [sale for sale in sales if not sale["has_one"]]
            _insert(session.connection(), context.owner, parameters, missing)
            done = {
                "after": sales[-1]["sale_id"],
                "booked": done["booked"] + len(missing),
                "left_out": done["left_out"] + len(sales) - len(missing),
            }
            context.save_checkpoint(done)  # commits together with the rows
        for sale in sales:
            if sale["has_one"]:
                context.log.info("left out: sale %s, %s: has a follow-up", sale["sale_id"], sale["heading"] or "-")
        seen = done["booked"] + done["left_out"]
        context.progress(90 * seen / max(count, seen), f"{seen} of {count} sales")


def _insert(connection: Any, owner: int, parameters: OverdueSales, sales: Sequence[Any]) -> None:
    if not sales:
        return
    ids = crm7.allocate_ids(connection, crm7.appointment, len(sales))
    same = {"owner": owner, "until": parameters.until, "due_days": parameters.due_days}
    connection.execute(BOOK, [{**sale, **same, "id": number} for sale, number in zip(sales, ids, strict=True)])


def _write_list(context: TaskContext, parameters: OverdueSales, path: Path) -> int:
    """Write the whole list anew, in every attempt: beside its place, and then into it."""
    context.progress(90, "Writing the list")
    unfinished = path.with_suffix(".part")
    count = 0
    with context.connect() as connection, unfinished.open("w", newline="", encoding="utf-8-sig") as file:
        rows = connection.execution_options(yield_per=500).execute(LIST, {"until": parameters.until})
        writer = csv.writer(file)
        writer.writerow(rows.keys())
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the last number is the count
            writer.writerow(row)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return count


def _report(context: TaskContext, parameters: OverdueSales, path: Path, told: str) -> str:
    """Mail the list, once, whatever dies meanwhile."""
    context.check_cancelled()
    context.progress(95, f"Writing to {parameters.report_to}")
    context.effect(
        f"report to {parameters.report_to}",
        lambda: send(parameters, path, told, message_id=f"<{context.task_id}.report@batchtask>"),
        not_done=NOT_SENT,
    )
    return f" The list went to {parameters.report_to}."
