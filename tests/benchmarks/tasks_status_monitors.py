"""Status monitors and counters of a million companies; `make bench-tasks` runs it.

Eight monitors on 1 000 000 companies with 600 000 activities, 300 000 sales, 300 000 persons and values in the
user-defined fields of every third company. The second generation finds what a day of work has changed.
"""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text

from batchtask import crm7
from batchtask.demo.sample_rows import SampleRows
from batchtask.demo.sample_status_monitors import Ask, add_monitor
from batchtask.testing import FakeContext, run_task
from worker.tasks.status_monitors import status_monitors

COMPANIES, PERSONS, ACTIVITIES, SALES = 1_000_000, 300_000, 600_000, 300_000
_COMPANY = 5

MONITORS: dict[str, tuple[Ask, ...]] = {
    "Nothing sold for 90 days": (
        ("category", "is", ("1",)),
        ("withoutSale/saleStatus", "is", ("2",)),
        ("withoutSale/date", "lastDays", ("90",)),
    ),
    "No follow-up in period 2": (("category", "oneOf", ("1", "2")), ("NumberOfActivitiesInPeriod2", "is", ("0",))),
    "Good customer, nothing planned": (
        ("NumberOfSales", "greaterEquals", ("1",)),
        ("NumberOfNotCompletedActivities", "is", ("0",)),
    ),
    "Gold with many points": (("udef.string05", "is", ("Gold",)), ("udef.long01", "greater", ("500",))),
    "Without an e-mail address": (("email/emailAddress", "isNull", ()), ("category", "is", ("3",))),
    "New this month": (("registeredDate", "thisMonth", ()),),
    "Lost something big this year": (
        ("sale/saleStatus", "is", ("3",)),
        ("sale/amount", "greater", ("50000",)),
        ("sale/date", "lastDays", ("365",)),
    ),
    "Asleep": (("LastActivity", "beforeDays", ("180",)), ("stop", "is", ("0",))),
}


def measure(database_url: str, folder: Path) -> dict[str, float]:
    """Measure the seconds that counters and monitors take, the first time and after a day's changes."""
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        fill(connection)
    _settle(engine)
    found = {
        "counters_first_seconds": _timed(database_url, folder, "counters"),
        "monitors_first_seconds": _timed(database_url, folder, "monitors"),
    }
    with engine.begin() as connection:
        found["matches"] = connection.execute(text("SELECT count(*) FROM crm7.statusvalue")).scalar_one()
        change(connection)
    found["counters_second_seconds"] = _timed(database_url, folder, "counters")
    found["monitors_second_seconds"] = _timed(database_url, folder, "monitors")
    engine.dispose()
    return found


def fill(connection: Connection) -> None:
    """Write the companies with all that belongs to them, and the monitors."""
    for statement in _FILL:
        connection.execute(text(statement))
    for table in (crm7.contact, crm7.person, crm7.appointment, crm7.sale, crm7.email, crm7.udcontactsmall):
        crm7.allocate_ids(connection, table, COMPANIES)
    rows = SampleRows(connection)
    for rank, (name, asks) in enumerate(MONITORS.items(), 1):
        add_monitor(rows, {0: name}, _COMPANY, asks, rank=rank)
    rows.add(crm7.saintconfiguration, ownertable=_COMPANY, enabled=1, period1=30, period2=90, period3=365)
    rows.write(connection)


def change(connection: Connection) -> None:
    """Do what a day of work does: new activities and sales, and values that the CRM has marked."""
    for statement in _CHANGE:
        connection.execute(text(statement))


def _timed(database_url: str, folder: Path, what: str) -> float:
    context = FakeContext(folder=folder, database_url=database_url, owner=0)
    started = time.monotonic()
    print(run_task(status_monitors, context, what=what).response)  # noqa: T201 - beside the table
    return time.monotonic() - started


def _settle(engine: Engine) -> None:
    """Let the tables be as autovacuum keeps them, and no checkpoint of the filling fall into the measurement."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


_AUDIT = "now(), 1, now(), 1, 0"
_AUDIT_COLUMNS = "registered, registered_associate_id, updated, updated_associate_id, updatedcount"
#: Long tails: few companies have many records, most have none.
_SOME_COMPANY = f"1 + (power(random(), 3) * {COMPANIES - 1})::integer"
_SOME_TIME = "localtimestamp - random() * interval '900 days'"

_FILL = (
    "SELECT setseed(0.5)",
    f"""INSERT INTO crm7.contact (contact_id, name, country_id, business_idx, category_idx, associate_id, xstop,
        userdef_id, deleted, {_AUDIT_COLUMNS})
    SELECT number, 'Company ' || number || ' Ødegård 公司', number % 12, number % 20, 1 + (random() * 9)::integer,
        number % 50, (random() < 0.02)::integer, CASE WHEN number % 3 = 0 THEN number ELSE 0 END,
        (random() < 0.01)::integer, now() - random() * interval '2000 days', 1, now(), 1, 0
    FROM generate_series(1, {COMPANIES}) number""",
    f"""INSERT INTO crm7.udcontactsmall (udcontactsmall_id, long01, string05)
    SELECT number, (random() * 1000)::integer, (ARRAY['Gold', 'Silver', 'Bronze'])[1 + (random() * 2)::integer]
    FROM generate_series(3, {COMPANIES}, 3) number""",
    f"""INSERT INTO crm7.person (person_id, contact_id, rank, firstname, lastname, country_id, business_idx,
        category_idx, {_AUDIT_COLUMNS})
    SELECT number, {_SOME_COMPANY}, 1, 'Åse', 'Łoś ' || number, 1, 1, 1, {_AUDIT}
    FROM generate_series(1, {PERSONS}) number""",
    f"""INSERT INTO crm7.email (email_id, contact_id, protocol, type, rank, description, email_address,
        {_AUDIT_COLUMNS})
    SELECT number, number, 'SMTP', 1, 1, '', 'info@c' || number || '.example', {_AUDIT}
    FROM generate_series(1, {COMPANIES}, 2) number""",
    f"""INSERT INTO crm7.task (task_id, name, record_type, direction, intentid, default_videomeeting_status,
        {_AUDIT_COLUMNS})
    SELECT number, 'Task ' || number, 1 + number % 6, number % 3, number % 4, 0, {_AUDIT}
    FROM generate_series(1, 12) number""",
    f"""INSERT INTO crm7.amountclass (amountclass_id, name, rank, amountfrom, amountto, {_AUDIT_COLUMNS})
    VALUES (1, 'Small', 1, 0, 9999.99, {_AUDIT}), (2, 'Large', 2, 10000, 1e12, {_AUDIT})""",
    f"""INSERT INTO crm7.appointment (appointment_id, associate_id, group_idx, task_idx, contact_id, person_id,
        project_id, document_id, mother_id, done, activedate, type, status, owned_externally, {_AUDIT_COLUMNS})
    SELECT number, number % 50, 1, 1 + number % 12, {_SOME_COMPANY}, 0, 0, 0, 0, localtimestamp, {_SOME_TIME},
        1 + number % 2, 1 + (random() * 2)::integer, 0, {_AUDIT}
    FROM generate_series(1, {ACTIVITIES}) number""",
    f"""INSERT INTO crm7.sale (sale_id, associate_id, group_idx, contact_id, probability_idx, appointment_id,
        project_id, saledate, amount, status, done, {_AUDIT_COLUMNS})
    SELECT number, number % 50, 1, {_SOME_COMPANY}, 0, 0, 0, {_SOME_TIME}, (random() * 100000)::integer,
        1 + number % 3, 0, {_AUDIT}
    FROM generate_series(1, {SALES}) number""",
)

_CHANGE = (
    f"""INSERT INTO crm7.appointment (appointment_id, associate_id, group_idx, task_idx, contact_id, person_id,
        project_id, document_id, mother_id, done, activedate, type, status, owned_externally, {_AUDIT_COLUMNS})
    SELECT {ACTIVITIES} + number, 1, 1, 1, {_SOME_COMPANY}, 0, 0, 0, 0, localtimestamp, localtimestamp, 1, 1, 0,
        {_AUDIT}
    FROM generate_series(1, 5000) number""",
    f"""INSERT INTO crm7.sale (sale_id, associate_id, group_idx, contact_id, probability_idx, appointment_id,
        project_id, saledate, amount, status, done, {_AUDIT_COLUMNS})
    SELECT {SALES} + number, 1, 1, {_SOME_COMPANY}, 0, 0, 0, localtimestamp, 70000, 2, 0, {_AUDIT}
    FROM generate_series(1, 1000) number""",
    """UPDATE crm7.statusvalue SET issignalled = 0, needsupdate = 1
    WHERE contact_id IN (SELECT contact_id FROM crm7.appointment WHERE activedate >= CURRENT_DATE)""",
)
