"""Every layout of a report shows and adds up what its user may read: compared with what plain loops find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Table, create_engine, delete, select, text

from batchtask import crm7
from batchtask.demo.sample_crm import load_sample_crm
from batchtask.testing import FakeContext
from tests import pdfs
from tests.crm_support import connected, crm_rows
from tests.report_support import AVERAGE, COUNT, LABEL, SUM, add_cross_table, add_report, print_report, rows_of

USER, ROLE = 5, 3  # of group 2; the role reads sales of the own group only
CONTACT, PERSON, SALE = 5, 6, 13  # numbers of tables
#: The sample lets everybody read all companies and people. Here owners are mixed, and the role reads its group's.
MIXED = (
    "UPDATE crm7.contact SET associate_id = contact_id % 7 WHERE contact_id % 3 = 0",
    "UPDATE crm7.contact SET group_id = 2 WHERE contact_id % 13 = 0",
    "UPDATE crm7.person SET associate_id = person_id % 7 WHERE person_id % 4 = 0",
    "UPDATE crm7.sale SET group_idx = 1 WHERE sale_id % 5 = 0",
)


@dataclass
class Readable:
    """What the user may read, by number, found without the code under test."""

    contacts: dict[int, Any] = field(default_factory=dict)
    persons: dict[int, Any] = field(default_factory=dict)
    sales: dict[int, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def crm(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[SimpleNamespace]:
    with databases() as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            sample = load_sample_crm(connection)
            for statement in MIXED:
                connection.execute(text(statement))
            right = crm7.dataright.c
            others = (right.roleid == ROLE, right.tableid.in_((CONTACT, PERSON)), right.relationtoowner > 1)
            connection.execute(delete(crm7.dataright).where(*others))
        engine.dispose()
        with crm_rows(url) as add:
            sums = [("amount", SUM, 0), ("amount", AVERAGE, 0), ("amount", COUNT, 0)]
            numbers = {
                "companies": add_report(add, "contact", ["contactId", "saleCount", "openAmount"]),
                "people": add_report(add, "person", ["personId", "contact/contactId"]),
                "sales": add_report(
                    add, "sale", ["saleId", "contact/contactId", "person/personId", "amount"], totals=sums
                ),
                "groups": add_report(
                    add, "sale", ["amount"], groups=["contact/contactId"], totals=[("amount", SUM, 1)]
                ),
                "cross": add_cross_table(add, "sale", row="contact/contactId", column="saleStatus", data="amount"),
                "labels": add_report(add, "sale", [], layout=LABEL, defaultlabellayout=sample.label_layout_id),
            }
        with connected(url) as connection:
            yield SimpleNamespace(url=url, readable=_readable(connection), **numbers)


def _readable(connection: Connection) -> Readable:
    groups = {row.associate_id: row.group_idx for row in connection.execute(select(crm7.associate))}
    companies = _rows(connection, crm7.contact)

    def is_ours(owner: int | None, group: int | None) -> bool:
        return owner == USER or (group or groups.get(owner or 0, 0)) == groups[USER]

    shared = {
        row.recordid
        for row in connection.execute(select(crm7.visiblefor))
        if row.tableid == SALE and (row.forall or row.forassocid == USER or row.forgroupid == groups[USER])
    }
    found = Readable()
    for key, row in companies.items():
        if not row.deleted and row.deleteddate is None and is_ours(row.associate_id, row.group_id):
            found.contacts[key] = row
    for key, row in _rows(connection, crm7.person).items():
        company = companies.get(row.contact_id)
        owner = row.associate_id or (company.associate_id if company else 0)
        if row.deleteddate is None and is_ours(owner, row.group_id):
            found.persons[key] = row
    for key, row in _rows(connection, crm7.sale).items():
        if is_ours(row.associate_id, row.group_idx) and (row.associate_id == USER or key in shared):
            found.sales[key] = row
    return found


def _rows(connection: Connection, table: Table) -> dict[int, Any]:
    return {row[0]: row for row in connection.execute(select(table))}


@pytest.fixture
def context(crm: SimpleNamespace, tmp_path: Path) -> FakeContext:
    return FakeContext(database_url=crm.url, folder=tmp_path, owner=USER)


def _number(printed: str) -> Decimal:
    return Decimal(printed.replace(",", "") or 0)


def _sum(amounts: list[float | None]) -> Decimal:
    return round(sum((Decimal(str(amount)) for amount in amounts if amount is not None), Decimal()), 2)


def _by_company(readable: Readable) -> Mapping[str, Decimal]:
    """Add up the sales by their company's number, as printed; those of a hidden one stand together."""
    amounts: dict[str, list[float | None]] = defaultdict(list)
    for sale in readable.sales.values():
        amounts[str(sale.contact_id) if sale.contact_id in readable.contacts else "(none)"].append(sale.amount)
    return {company: _sum(values) for company, values in amounts.items()}


def test_the_sample_hides_something_of_everything(crm: SimpleNamespace) -> None:
    found = crm.readable
    with connected(crm.url) as connection:
        for table, readable in (
            (crm7.contact, found.contacts),
            (crm7.person, found.persons),
            (crm7.sale, found.sales),
        ):
            assert 20 < len(readable) < len(_rows(connection, table)) / 2
    assert "(none)" in _by_company(found)


def test_a_list_has_what_may_be_read_and_counts_no_more(crm: SimpleNamespace, context: FakeContext) -> None:
    sales = crm.readable.sales.values()
    found = {int(key): (int(count), _number(amount)) for key, count, amount in rows_of(context, crm.companies)}
    assert found == {
        key: (
            sum(sale.contact_id == key for sale in sales),
            _sum([sale.amount for sale in sales if sale.contact_id == key and sale.status == 1]),
        )
        for key in crm.readable.contacts
    }


def test_fields_of_linked_records_are_empty_where_these_are_hidden(
    crm: SimpleNamespace, context: FakeContext
) -> None:
    contacts, persons = crm.readable.contacts, crm.readable.persons
    assert dict(rows_of(context, crm.people)) == {
        str(key): str(person.contact_id) if person.contact_id in contacts else ""
        for key, person in persons.items()
        if not person.retired
    }
    assert {tuple(row[:3]) for row in rows_of(context, crm.sales)[:-3]} == {
        (
            str(key),
            str(sale.contact_id) if sale.contact_id in contacts else "",
            str(sale.person_id) if sale.person_id in persons else "",
        )
        for key, sale in crm.readable.sales.items()
    }


def test_totals_are_those_of_what_may_be_read(crm: SimpleNamespace, context: FakeContext) -> None:
    amounts = [sale.amount for sale in crm.readable.sales.values() if sale.amount is not None]
    printed = [_number(row[3]) for row in rows_of(context, crm.sales)[-3:]]
    assert printed == [_sum(amounts), round(_sum(amounts) / len(amounts), 2), len(amounts)]


def test_groups_and_cross_tables_add_up_the_same(crm: SimpleNamespace, context: FakeContext) -> None:
    wanted = _by_company(crm.readable)
    totals = [row[0].removeprefix("Total: ").split(" ") for row in rows_of(context, crm.groups) if "Total" in row[0]]
    assert {company: _number(amount) for company, amount in totals} == wanted
    *rows, total = rows_of(context, crm.cross)
    assert {row[0]: _number(row[-1]) for row in rows} == wanted
    assert _number(total[-1]) == sum(wanted.values())


def test_labels_name_nobody_who_is_hidden(crm: SimpleNamespace, context: FakeContext) -> None:
    with connected(crm.url) as connection:
        hidden = {
            row.name for key, row in _rows(connection, crm7.contact).items() if key not in crm.readable.contacts
        } - {row.name for row in crm.readable.contacts.values()}
    outcome = print_report(context, crm.labels, file_type="pdf")
    assert "company deleted or not yours to read" in outcome.response
    assert outcome.file_name
    printed = {line for page in pdfs.pages(Path(outcome.file_name)) for line in page.split("\n")}
    assert printed
    assert not printed & hidden
