"""A small CRM with status monitors, ways to regenerate them, and somebody who works in it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, select, text

from batchtask import crm7
from batchtask.demo.sample_rows import SampleRows
from batchtask.demo.sample_status_monitors import Ask, add_monitor
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, run_task
from worker.tasks.status_monitors import status_monitors

COMPANY, PERSON, PROJECT = 5, 6, 11
CUSTOMER, PROSPECT = 1, 2
KEYS = {COMPANY: "contact_id", PERSON: "person_id", PROJECT: "project_id"}

CUSTOMERS: tuple[Ask, ...] = (("category", "is", (str(CUSTOMER),)),)


class Crm:
    """Writes rows and reads statuses, each in a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, table: Table, *rows: dict[str, Any]) -> list[int]:
        """Add rows and return their ids."""
        with self.engine.begin() as connection:
            collected = SampleRows(connection)
            added = [collected.add(table, **row) for row in rows]
            collected.write(connection)
        key = next(iter(table.primary_key.columns)).name
        return [row[key] for row in added]

    def companies(self, *categories: int, **more: Any) -> list[int]:
        return self.add(
            crm7.contact,
            *({"name": f"Ødegård 公司 {n}", "category_idx": one, **more} for n, one in enumerate(categories)),
        )

    def monitor(self, name: str, asks: tuple[Ask, ...], owner_table: int = COMPANY) -> int:
        with self.engine.begin() as connection:
            rows = SampleRows(connection)
            number = add_monitor(rows, {0: name}, owner_table, asks)
            rows.write(connection)
        return number

    def configure(self, owner_table: int, *periods: int, enabled: int = 1) -> None:
        first, second, third = periods or (30, 90, 365)
        values = {"ownertable": owner_table, "period1": first, "period2": second, "period3": third}
        self.add(crm7.saintconfiguration, {**values, "enabled": enabled})

    def write(self, sql: str, **values: Any) -> int:
        with self.engine.begin() as connection:
            return int(connection.execute(text(sql), values).rowcount)

    def read(self, sql: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]

    def signalled(self, monitor: int, owner_table: int = COMPANY) -> list[int]:
        """The records whose status is on, in order; twice if it is there twice."""
        key = KEYS[owner_table]
        where = "statusdef_id = :monitor AND issignalled = 1 AND needsupdate = 0"
        return [
            row[0]
            for row in self.read(f"SELECT {key} FROM crm7.statusvalue WHERE {where} ORDER BY 1", monitor=monitor)
        ]

    def dirty(self, monitor: int) -> list[int]:
        where = "statusdef_id = :monitor AND issignalled = 0 AND needsupdate = 1"
        return [
            row[0]
            for row in self.read(f"SELECT contact_id FROM crm7.statusvalue WHERE {where} ORDER BY 1", monitor=monitor)
        ]

    def rows_of(self, monitor: int) -> list[Any]:
        """Which rows there are and which transactions wrote them."""
        return self.read(
            "SELECT statusvalue_id, xmin::text FROM crm7.statusvalue WHERE statusdef_id = :m ORDER BY 1", m=monitor
        )

    def book(self, monitor: int) -> Any:
        with self.engine.connect() as connection:
            one = select(crm7.statusdef).where(crm7.statusdef.c.statusdef_id == monitor)
            return connection.execute(one).one()

    def clear(self) -> None:
        """Remove everything that a generation writes."""
        self.write("TRUNCATE crm7.statusvalue, crm7.countervalue, crm7.systemevent, batchtask.task_flag")
        self.write("UPDATE crm7.statusdef SET lastgenerated = NULL, generationstart = NULL, needsupdate = 1")

    def edit(self, contact_id: int, **values: Any) -> None:
        """Do what the CRM does when a user saves a company: write it, and mark its values."""
        with self.engine.begin() as connection:
            edit_company(connection, contact_id, **values)


def edit_company(connection: Connection, contact_id: int, **values: Any) -> None:
    company, value = crm7.contact, crm7.statusvalue
    changed = {"updated": datetime.now().astimezone(), **values}
    connection.execute(company.update().where(company.c.contact_id == contact_id).values(**changed))
    mark = value.update().where(value.c.contact_id == contact_id)
    connection.execute(mark.values(issignalled=0, needsupdate=1))


class Meanwhile(FakeContext):
    """A context of the system in which somebody else does something at a safe point, by its number from 1."""

    def __init__(self, database_url: str, folder: Path) -> None:
        super().__init__(folder=folder, database_url=database_url, owner=0)
        self.acts: dict[int, Callable[[], None]] = {}

    def check_cancelled(self) -> None:
        super().check_cancelled()
        if act := self.acts.pop(self.safe_points, None):
            act()

    def again(self) -> Meanwhile:
        """A context for another run, on the same CRM."""
        return Meanwhile(self.database_url, self.folder)


#: Safe points of a run of one monitor: before it, before the old values are read, and when all is staged.
BEFORE, READING, STAGED = 1, 2, 3


def regenerate(context: FakeContext, **parameters: Any) -> str:
    """Regenerate and return what users are told, with plain spaces."""
    outcome = run_task(status_monitors, context, **parameters)
    assert isinstance(outcome, Succeeded)
    return outcome.response.replace("\u202f", " ")


def days_ago(days: int) -> datetime:
    return datetime.now().replace(microsecond=0) - timedelta(days=days)
