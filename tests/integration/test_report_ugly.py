"""Reports of records that nobody would have made on purpose, and of definitions that nobody would draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from batchtask import crm7
from batchtask.definitions import TaskFailure
from batchtask.testing import FakeContext
from tests.crm_support import Add, add_user, crm_rows
from tests.report_support import COUNT, add_cross_table, add_report, print_report, rows_of

NO_DATE = datetime(1760, 1, 1)
SYSTEM, FINN = 0, 1
FIRST_FIVE = [("contactId", "<=", "5")]


@pytest.fixture(scope="module")
def reports(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[SimpleNamespace]:
    """A database of the module's own, and the numbers of its reports by name."""
    with databases() as url:
        with crm_rows(url) as add:
            _add_records(add)
            numbers = _add_reports(add)
        _end_time(url)
        yield SimpleNamespace(database_url=url, **numbers)


def _add_records(add: Add) -> None:
    add_user(add, "FINN")
    add(crm7.userpreference, deflevel=4, owner_id=FINN, prefsection="Global", prefkey="Language", prefvalue="fi-FI")
    acme = add(crm7.contact, name="Acme", department="Sales")
    for name in ("Acme ", "  ", "", "\N{NO-BREAK SPACE}"):
        add(crm7.contact, name=name)
    for name in ("Zebra", "Åse", "abba", "Östby", "Ærlig", "BØR", "bøk", "Bø", "Łódź"):
        add(crm7.contact, name=name, department="Alphabet")
    add(crm7.appointment, contact_id=acme, activedate=NO_DATE)
    add(crm7.sale, contact_id=acme, saledate=NO_DATE, heading=" ", amount=1, status=77)
    add(crm7.sale, contact_id=0, saledate=datetime(2025, 5, 1), heading="A", amount=2, status=77)
    add(crm7.sale, contact_id=0, saledate=datetime(2025, 5, 31), heading=None, amount=4, status=1)


def _add_reports(add: Add) -> dict[str, int]:
    return {
        "counted": add_report(add, "contact", ["department"], criteria=FIRST_FIVE, totals=[("contactId", COUNT, 0)]),
        "last": add_report(add, "contact", ["lastActivity", "lastSale"], criteria=[("contactId", "=", "1")]),
        "grouped": add_report(
            add, "contact", ["contactId"], groups=["name"], criteria=FIRST_FIVE, totals=[("contactId", COUNT, 1)]
        ),
        "headings": add_report(add, "sale", ["saleStatus", "heading"], totals=[("heading", COUNT, 0)]),
        "by_month": add_cross_table(add, "sale", row="date", column="status", data="amount"),
        "by_name": add_cross_table(add, "sale", row="status", column="status", data="heading", function=1),
        "average": add_cross_table(add, "sale", row="status", column="status", data="saleId", function=2),
        "dates": add_report(add, "sale", ["saleId", "registeredDate"]),
        "ordered": add_report(add, "contact", ["name"], order="name"),
        "names": add_report(add, "contact", ["name"]),
        "narrow": add_report(add, "contact", ["name"], criteria=FIRST_FIVE, margin=5400),
        "unknown_layout": add_report(add, "contact", ["name"], layout=8),
    }


def _end_time(database_url: str) -> None:
    """Write dates that the database knows, and Python does not."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE crm7.sale SET registered = 'infinity' WHERE sale_id = 1"))
        connection.execute(text("UPDATE crm7.sale SET registered = '12025-01-01' WHERE sale_id = 2"))
        connection.execute(text("UPDATE crm7.sale SET registered = '0044-03-15 BC' WHERE sale_id = 3"))
    engine.dispose()


@pytest.fixture
def context(reports: SimpleNamespace, tmp_path: Path) -> FakeContext:
    return FakeContext(database_url=reports.database_url, folder=tmp_path, owner=SYSTEM)


def test_a_count_of_what_is_no_column_counts_it_and_not_the_first_column(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    assert rows_of(context, reports.counted)[-1] == ["Count 5"]


def test_the_last_of_dates_that_are_none_is_none(reports: SimpleNamespace, context: FakeContext) -> None:
    assert rows_of(context, reports.last) == [["", ""]]


def test_spaces_around_a_name_make_no_other_group(reports: SimpleNamespace, context: FakeContext) -> None:
    lines = [row[0] for row in rows_of(context, reports.grouped)]
    assert [line for line in lines if not line.isdecimal()] == [
        "Company: Acme", "Count: Acme 2", "Company: (none)", "Count: (none) 3"
    ]  # fmt: skip


def test_an_empty_text_does_not_count_and_an_unknown_state_is_its_number(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    assert rows_of(context, reports.headings) == [["77", " "], ["77", "A"], ["Open", ""], ["Count", "1"]]
    assert rows_of(context, reports.by_name) == [
        ["Open", "0", "", "0"],
        ["77", "", "1", "1"],
        ["Total", "0", "1", "1"],
    ]


def test_dates_stand_by_month_on_both_sides_of_a_cross_table(reports: SimpleNamespace, context: FakeContext) -> None:
    assert [row[0] for row in rows_of(context, reports.by_month)] == ["2025-05", "(none)", "Total"]


def test_an_average_of_whole_numbers_has_decimals(reports: SimpleNamespace, context: FakeContext) -> None:
    assert rows_of(context, reports.average)[-1] == ["Total", "3.00", "1.50", "2.00"]


def test_a_language_that_reports_do_not_speak_is_told(reports: SimpleNamespace, context: FakeContext) -> None:
    finn = FakeContext(database_url=context.database_url, folder=context.folder, owner=FINN)
    assert "Company" in (Path(print_report(finn, reports.names).file_name or "").read_text())
    assert finn.lines == [(30, "your language 'fi-FI' is not known to reports: printed in English")]


def test_a_date_beyond_all_calendars_is_none(reports: SimpleNamespace, context: FakeContext) -> None:
    assert rows_of(context, reports.dates) == [["1", ""], ["2", ""], ["3", ""]]


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("narrow", {"file_type": "pdf"}, "The margins of 'A contact' leave no room on A4 paper"),
        ("unknown_layout", {}, "has the unknown layout 8, which is not printed here"),
        ("names", {"restrictions": [{"name": "project/contact/" * 30 + "name"}]}, "leads over more than 7 records"),
        ("names", {"restrictions": [{"name": "x" * 5000}]}, r"no field 'x{60}'\. Known are .+ and \d+ more\.$"),
    ],
)
def test_a_definition_without_sense_is_refused_in_a_sentence(
    reports: SimpleNamespace, context: FakeContext, name: str, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(TaskFailure, match=sentence) as refused:
        print_report(context, getattr(reports, name), **parameters)
    assert len(str(refused.value)) < 500
    assert list(context.folder.iterdir()) == []


def test_margins_do_not_matter_to_text(reports: SimpleNamespace, context: FakeContext) -> None:
    assert print_report(context, reports.narrow, file_type="txt").response == "A contact: 5 records."


def test_of_a_thousand_values_the_first_are_named(reports: SimpleNamespace, context: FakeContext) -> None:
    numbers = [str(number) for number in range(1, 1001)]
    given = [{"name": "contactId", "operator": "oneOf", "values": numbers}]
    found = print_report(context, reports.names, file_type="txt", language="nb", restrictions=given)
    assert found.file_name
    criteria = Path(found.file_name).read_text().splitlines()[2]
    assert criteria == f"Firma-ID = {', '.join(numbers[:20])}, og 980 til"


@pytest.mark.parametrize(
    ("language", "order"),
    [
        ("nb", "abba Bø bøk BØR Łódź Zebra Ærlig Östby Åse"),
        ("sv", "abba Bø bøk BØR Łódź Zebra Åse Ærlig Östby"),
        ("de", "abba Ærlig Åse Bø bøk BØR Łódź Östby Zebra"),
    ],
)
def test_names_stand_where_readers_of_the_language_look_for_them(
    reports: SimpleNamespace, context: FakeContext, language: str, order: str
) -> None:
    given = [{"name": "department", "values": ["Alphabet"]}]
    found = rows_of(context, reports.ordered, language=language, restrictions=given)
    assert [row[0] for row in found] == order.split()
