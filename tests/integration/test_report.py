from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchtask import crm7
from batchtask.definitions import TaskFailure
from batchtask.errors import InvalidParameters
from batchtask.outcomes import Cancelled
from batchtask.testing import FakeContext, Killed, run_task
from tests.crm_support import Add, add_user, crm_rows
from tests.report_support import (
    AVERAGE,
    COUNT,
    CROSS,
    LABEL,
    LEAST,
    MOST,
    SUM,
    add_criterion,
    add_cross_table,
    add_report,
    print_report,
    rows_of,
)
from worker.tasks.report import report

ANN, BOB, CID = 1, 2, 3
NO_DATE = datetime(1760, 1, 1)


@pytest.fixture(scope="module")
def reports(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[SimpleNamespace]:
    """A database of the module's own, and the numbers of its reports by name."""
    with databases() as url:
        with crm_rows(url) as add:
            _add_records(add)
            numbers = _add_reports(add)
        yield SimpleNamespace(database_url=url, **numbers)


def _add_records(add: Add) -> None:
    """ANN and BOB are of group 1, CID of 2. Roles let everybody read the own group's sales."""
    for name, group in (("ANN", 1), ("BOB", 1), ("CID", 2)):
        role = add(crm7.role, name=name)
        add(crm7.userrolelink, associate_id=add_user(add, name, group), role_id=role)
        for table in (5, 6, 13):
            for relation in (0, 1) if table == 13 else (0, 1, 2, 3):
                add(crm7.dataright, roleid=role, tableid=table, relationtoowner=relation, crud="R")
    open_company = add(crm7.contact, name="Öberg <A> & Söner", associate_id=ANN)
    china = add(crm7.contact, name="北京图书", associate_id=CID)
    add(crm7.contact, name="Gone", deleteddate=datetime.fromisoformat("2025-01-01T00:00:00+00:00"))
    sales = [
        (ANN, open_company, "Books", 0.1, datetime(2025, 1, 31), 1),
        (ANN, china, "Books", 0.2, datetime(2025, 2, 1), 2),
        (BOB, china, "", -1234567.891, NO_DATE, 1),
        (BOB, 0, None, None, datetime(2025, 2, 28, 23, 59), 3),
        (CID, open_company, "Secret", 5000, datetime(2025, 2, 2), 1),
    ]
    for owner, company, heading, amount, day, status in sales:
        sale = add(crm7.sale, associate_id=owner, group_idx=2 if owner == CID else 1, contact_id=company,
                   heading=heading, amount=amount, saledate=day, status=status)  # fmt: skip
        add(crm7.visiblefor, tableid=13, recordid=sale, forall=1)
    hidden = add(crm7.sale, associate_id=BOB, group_idx=1, heading="Private", amount=9, saledate=NO_DATE)
    add(crm7.visiblefor, tableid=13, recordid=hidden, forassocid=BOB)
    add(crm7.userpreference, deflevel=4, owner_id=BOB, prefsection="Global", prefkey="Language", prefvalue="NO")
    add(crm7.userpreference, deflevel=4, owner_id=CID, prefsection="Global", prefkey="DateFormat", prefvalue="M/d/yy")


def _add_reports(add: Add) -> dict[str, int]:
    sums = [("amount", SUM, 0), ("amount", COUNT, 0)]
    return {
        "companies": add_report(add, "contact", ["name", "saleCount"], order="name desc"),
        "sales": add_report(add, "sale", ["date", "heading", "amount"], order="date", totals=sums),
        "grouped": add_report(
            add,
            "sale",
            ["amount", "heading"],
            groups=["owner", "heading"],
            order="amount",
            totals=[
                ("amount", SUM, 1),
                ("amount", SUM, 0),
                ("amount", AVERAGE, 0),
                ("amount", LEAST, 0),
                ("amount", MOST, 0),
            ],
        ),
        "cross": add_cross_table(add, "sale", row="owner", column="date", data="amount"),
        "counted": add_cross_table(add, "sale", row="saleStatus", column="contact/name", data="saleId", function=1),
        "wide": add_cross_table(add, "sale", row="owner", column="saleId", data="heading", function=1),
        "locked": add_report(add, "sale", ["heading"], criteria=[("saleStatus", "oneOf", "1;2")], locked=True),
        "open": add_report(add, "sale", ["heading"], criteria=[("status", "is", "Open")]),
        "of_ann": add_report(add, "contact", ["name"], associate_id=ANN, published=0),
        "unpublished": add_report(add, "contact", ["name"], published=0),
        "for_group_2": _for_group(add, 2),
        "without_columns": add_report(add, "contact", []),
        "misspelt": add_report(add, "contact", ["name", "adress"]),
        "misspelt_order": add_report(add, "contact", ["name"], order="nme"),
        "bad_criterion": _with_bad_criterion(add),
        "sum_of_texts": add_report(add, "contact", ["name"], totals=[("name", SUM, 0)]),
        "months_of_texts": add_report(add, "contact", ["name:month"]),
        "calendar": add_report(add, "contact", ["name"], layout=5),
        "half_cross": add_report(add, "sale", [], layout=CROSS),
        "projects": add_report(add, "project", ["name"]),
        "many": add_report(add, "contact", ["sale/amount"]),
        "labels_without_sheet": add_report(add, "contact", [], layout=LABEL),
        "no_template": add(crm7.sorpublish, sortemplate_id=999, name="Lost"),
    }


def _for_group(add: Add, group: int) -> int:
    number = add_report(add, "contact", ["name"])
    add(crm7.sorpublishgrouplink, sorpublishid=number, usergroupid=group)
    return number


def _with_bad_criterion(add: Add) -> int:
    number = add_report(add, "sale", ["heading"])
    add_criterion(add, number, "amount", "less", "a lot")
    return number


@pytest.fixture
def context(reports: SimpleNamespace, tmp_path: Path) -> FakeContext:
    return FakeContext(database_url=reports.database_url, folder=tmp_path, owner=BOB)


def as_user(context: FakeContext, user: int) -> FakeContext:
    context.owner = user
    return context


def test_a_list_has_a_line_per_record_and_leaves_out_the_deleted(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    assert rows_of(as_user(context, 0), reports.companies) == [["Öberg <A> & Söner", "2"], ["北京图书", "2"]][::-1]


def test_dates_and_amounts_are_written_as_the_users_language_asks(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    english = rows_of(context, reports.sales, language="en")
    assert english[:3] == [["31.01.2025", "Books", "0.10"], ["01.02.2025", "Books", "0.20"], ["28.02.2025", "", ""]]
    norwegian = rows_of(context, reports.sales)
    assert norwegian[0] == ["31.01.2025", "Books", "0,10"]
    assert norwegian[3][2] == "-1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567,89"
    assert rows_of(as_user(context, CID), reports.sales)[0] == ["2/2/25", "Secret", "5,000.00"]


def test_totals_are_exact_and_count_what_is_there(reports: SimpleNamespace, context: FakeContext) -> None:
    found = rows_of(as_user(context, ANN), reports.sales)
    assert found[-2:] == [["Total", "", "-1,234,567.59"], ["Count", "", "3"]]


def test_groups_have_headings_and_totals_and_empty_values_are_one_group(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    lines = [" ".join(filter(None, row)) for row in rows_of(as_user(context, ANN), reports.grouped)]
    assert lines == [
        "Owner: ANN User",
        "Sale: Books",
        "0.10 Books",
        "0.20 Books",
        "0.30 Total: ANN User",
        "Owner: BOB User",
        "Sale: (none)",
        "-1,234,567.89",
        "",  # neither amount nor heading
        "-1,234,567.89 Total: BOB User",
        "-1,234,567.59 Total",
        "-411,522.53 Average",
        "-1,234,567.89 Lowest",
        "0.20 Highest",
    ]


def test_a_cross_table_adds_up_rows_and_columns(reports: SimpleNamespace, context: FakeContext) -> None:
    outcome = rows_of(as_user(context, ANN), reports.cross)
    assert outcome == [
        ["ANN User", "0.10", "0.20", "", "0.30"],
        ["BOB User", "", "", "-1,234,567.89", "-1,234,567.89"],
        ["Total", "0.10", "0.20", "-1,234,567.89", "-1,234,567.59"],
    ]


def test_a_cross_table_counts_what_it_cannot_add(reports: SimpleNamespace, context: FakeContext) -> None:
    assert rows_of(as_user(context, ANN), reports.counted) == [
        ["Open", "1", "1", "", "2"],
        ["Sold", "", "1", "", "1"],
        ["Lost", "", "", "1", "1"],
        ["Total", "1", "2", "1", "4"],
    ]


def test_nobody_sees_or_sums_what_he_may_not_read(reports: SimpleNamespace, context: FakeContext) -> None:
    headings = {
        user: {row[1] for row in rows_of(as_user(context, user), reports.sales)[:-2]} for user in (1, 2, 3, 0)
    }
    assert headings == {
        ANN: {"Books", ""},
        BOB: {"Books", "", "Private"},
        CID: {"Secret"},
        0: {"Books", "", "Private", "Secret"},
    }
    sums = {user: rows_of(as_user(context, user), reports.sales, language="en")[-2][2] for user in (1, 2, 3)}
    assert sums == {ANN: "-1,234,567.59", BOB: "-1,234,558.59", CID: "5,000.00"}
    counts = {user: dict(rows_of(as_user(context, user), reports.companies)) for user in (ANN, CID)}
    assert counts[ANN] == {"Öberg <A> & Söner": "1", "北京图书": "2"}
    assert counts[CID] == {"Öberg <A> & Söner": "1", "北京图书": "0"}


def test_a_restriction_cannot_find_out_what_the_user_may_not_read(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    secret = [{"name": "sale/heading", "operator": "is", "values": ["Secret"]}]
    assert rows_of(as_user(context, ANN), reports.companies, restrictions=secret) == []
    assert rows_of(as_user(context, CID), reports.companies, restrictions=secret) == [["Öberg <A> & Söner", "1"]]


def heading_of(context: FakeContext, number: int, *restrictions: dict[str, Any]) -> list[str]:
    return sorted(row[0] for row in rows_of(as_user(context, ANN), number, restrictions=restrictions))


SOLD = {"name": "saleStatus", "operator": "is", "values": ["Sold"]}


def test_a_restriction_takes_the_place_of_the_reports_own_criterion(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    assert heading_of(context, reports.open) == ["", "Books"]
    assert heading_of(context, reports.open, SOLD) == ["Books"]
    assert heading_of(context, reports.open, {**SOLD, "is_active": False}) == ["", "", "Books", "Books"]


def test_a_locked_criterion_cannot_be_changed(reports: SimpleNamespace, context: FakeContext) -> None:
    lost = {**SOLD, "values": ["Lost"]}
    assert heading_of(context, reports.locked, SOLD) == ["Books"]
    assert heading_of(context, reports.locked, lost) == []
    assert heading_of(context, reports.locked, {**SOLD, "is_active": False}) == ["", "Books", "Books"]
    either = [{**SOLD, "inter_operator": "Or"}, lost]
    assert heading_of(context, reports.locked, *either) == ["Books"]


def test_restrictions_are_joined_with_parentheses(reports: SimpleNamespace, context: FakeContext) -> None:
    books = {"name": "heading", "values": ["Books"]}
    found = heading_of(
        context,
        reports.open,
        {"name": "amount", "operator": "<", "values": ["0"], "inter_operator": "Or", "inter_parenthesis": 1},
        {**SOLD, "inter_parenthesis": -1},
        books,
    )
    assert found == ["Books"]


def test_an_empty_report_says_so(reports: SimpleNamespace, context: FakeContext) -> None:
    nothing = [{"name": "name", "values": ["nobody"]}]
    assert print_report(context, reports.companies, restrictions=nothing).response == (
        "A contact: nothing was found that you may read."
    )


REFUSED = [
    ("of_ann", BOB, "is a favourite of somebody else|is not published"),
    ("unpublished", BOB, "is not published"),
    ("for_group_2", BOB, "is not for your user group"),
    ("without_columns", BOB, "has no columns: edit the report"),
    ("misspelt", BOB, "A contact has no field 'adress'. Did you mean address"),
    ("misspelt_order", BOB, "no field 'nme'. Did you mean name"),
    ("bad_criterion", BOB, "amount less 'a lot' cannot be read"),
    ("sum_of_texts", BOB, "cannot be added up"),
    ("months_of_texts", BOB, "only dates have months"),
    ("calendar", BOB, "is a calendar, which is not printed here"),
    ("half_cross", BOB, "needs a column, a row and data"),
    ("projects", BOB, "does not let you read any project"),
    ("many", BOB, "it is not one value: a contact has many"),
    ("no_template", BOB, "has no template"),
    ("companies", 99, "There is no user 99"),
]


@pytest.mark.parametrize(("name", "user", "sentence"), REFUSED)
def test_what_cannot_be_printed_is_refused_in_words_and_leaves_nothing(
    reports: SimpleNamespace, context: FakeContext, name: str, user: int, sentence: str
) -> None:
    with pytest.raises(TaskFailure, match=sentence):
        print_report(as_user(context, user), getattr(reports, name))
    assert list(context.folder.iterdir()) == []


def test_owner_and_group_see_what_others_do_not(reports: SimpleNamespace, context: FakeContext) -> None:
    assert len(rows_of(as_user(context, ANN), reports.of_ann)) == 2
    assert len(rows_of(as_user(context, CID), reports.for_group_2)) == 2


BAD_PARAMETERS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"report_id": 4711}, TaskFailure, "There is no report 4711"),
    ({"report_id": 2**31}, InvalidParameters, "report_id"),
    ({"language": "tlh"}, TaskFailure, "The language 'tlh' is not known; known are"),
    ({"file_type": "docx"}, InvalidParameters, "file_type"),
    ({"restrictions": [{"name": "nmae"}]}, TaskFailure, "no field 'nmae'. Did you mean name"),
    ({"restrictions": [{"name": "name", "inter_parenthesis": 1}]}, TaskFailure, "parentheses"),
    ({"restrictions": [{"nme": "name"}]}, InvalidParameters, "unknown field `nme`"),
]


@pytest.mark.parametrize(("parameters", "error", "sentence"), BAD_PARAMETERS)
def test_bad_parameters_are_refused_in_words(
    reports: SimpleNamespace,
    context: FakeContext,
    parameters: dict[str, Any],
    error: type[Exception],
    sentence: str,
) -> None:
    with pytest.raises(error, match=sentence):
        print_report(context, **{"report_id": reports.companies, **parameters})


NAMES = [
    ("../../etc/passwd", "passwd.csv"),
    ("C:\\temp\\a.CSV", "a.csv"),
    ("a\x00b/\x01", "result.csv"),
    ("…" * 200, "…" * 53 + ".csv"),
    ("..", "result.csv"),
    ("half \ud800", "half.csv"),
]


@pytest.mark.parametrize(("wanted", "name"), NAMES)
def test_the_result_stays_in_its_folder_whatever_it_is_called(
    reports: SimpleNamespace, context: FakeContext, wanted: str, name: str
) -> None:
    print_report(context, reports.companies, file_name=wanted)
    assert [path.name for path in context.folder.iterdir()] == [name]


def test_an_attempt_that_dies_leaves_no_half_and_the_next_begins_anew(
    reports: SimpleNamespace, context: FakeContext
) -> None:
    context.killed_after = 3
    with pytest.raises(Killed):
        print_report(context, reports.sales)
    for left in (".A sale.csv.0.part", "..A sale.csv.0.part.draft"):
        (context.folder / left).write_text("of an attempt that was killed by the system")
    context.next_attempt()
    assert len(rows_of(context, reports.sales)) == 7
    assert [path.name for path in context.folder.iterdir()] == ["A sale.csv"]


def test_a_cancelled_report_leaves_nothing(reports: SimpleNamespace, context: FakeContext) -> None:
    context.cancel_after = 2
    outcome = run_task(report, context, report_id=reports.sales)
    assert outcome == Cancelled(response="No file was made.")
    assert list(context.folder.iterdir()) == []


def test_progress_is_told_in_words_and_never_falls(reports: SimpleNamespace, context: FakeContext) -> None:
    print_report(context, reports.sales)
    percents = [percent for percent, _ in context.reports]
    assert percents == sorted(percents)
    assert "Line 5 of 5" in [text for _, text in context.reports]
