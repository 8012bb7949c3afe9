from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from batchtask import crm7
from batchtask.definitions import TaskFailure
from tests.crm_support import NOW, add_user, asking, connected, crm_rows
from worker.tasks.crm.catalogue import Catalogue, find_subject
from worker.tasks.crm.criteria import Criterion, Group, condition
from worker.tasks.crm.user_fields import load_user_fields

LONG_AGO = datetime(1760, 1, 1)


@pytest.fixture(scope="module")
def database_url(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with databases() as url:
        _fill(url)
        yield url


def _fill(database_url: str) -> None:
    with crm_rows(database_url) as add:
        ann, bob = add_user(add, "ANN", group=1), add_user(add, "BOB", group=2)
        add(crm7.usergroup, name="Sales")
        customer, prospect = add(crm7.category, name="Customer"), add(crm7.category, name="Prospect_x")
        norway = add(crm7.country, name="Norge", english_name="Norway")
        small = add(crm7.udcontactsmall, long01=7, string05="Gold")
        oslo = add(crm7.contact, name="Åse & Co", number1="50%", category_idx=customer, associate_id=ann,
                   country_id=norway, userdef_id=small, nomailing=1)  # fmt: skip
        athens = add(crm7.contact, name="ΑΘΗΝΑ_Α.Ε.", number1="50", category_idx=prospect, associate_id=bob)
        nothing = add(crm7.contact, name="北京\\图书", number1=None)
        add(crm7.contact, name="Deleted", deleted=1)
        add(crm7.address, owner_id=oslo, atype_idx=1, city="Oslo", zipcode="0150")
        add(crm7.address, owner_id=athens, atype_idx=1, city="Αθήνα", zipcode="")
        add(crm7.phone, owner_id=oslo, ptype_idx=1, phone="+47 22", rank=2)
        add(crm7.phone, owner_id=oslo, ptype_idx=1, phone="+47 11", rank=1)
        add(crm7.sale, contact_id=oslo, heading="small", amount=10, status=1, saledate=datetime(2025, 5, 1))
        add(crm7.sale, contact_id=oslo, heading="big", amount=1000, status=2, saledate=datetime(2024, 12, 31, 23))
        add(crm7.sale, contact_id=athens, heading="lost", amount=-5.5, status=3, saledate=LONG_AGO)
        add(crm7.sale, contact_id=nothing, heading="undated", amount=None, status=0, saledate=LONG_AGO)
        add(crm7.appointment, contact_id=oslo, activedate=datetime(2025, 5, 14, 9), status=3)
        add(crm7.appointment, contact_id=athens, activedate=datetime(2025, 1, 1), status=1)
        add(crm7.appointment, contact_id=nothing, activedate=NOW, document_id=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connected(database_url) as connection:
        yield connection


def found(connection: Connection, subject: str, tree: Criterion | Group, *, by: int = 1, group: int = 1) -> set[str]:
    """Names of the records for which the criteria hold."""
    about = find_subject(subject)
    catalogue = Catalogue(udefs=load_user_fields(connection))
    name = {"contact": "name", "sale": "heading"}[subject]
    where = condition(catalogue, about, tree, asking(by, group))
    return set(connection.scalars(select(about.table.c[name]).where(where, about.is_present(about.table))))


OSLO, ATHENS, BEIJING = "Åse & Co", "ΑΘΗΝΑ_Α.Ε.", "北京\\图书"

COMPANIES = [
    ("name", "is", ["åse & co"], {OSLO}),
    ("name", "=", ["Åse & Co"], {OSLO}),
    ("NAME", "begins", ["αθηνα"], {ATHENS}),
    ("name", "ends", ["co"], {OSLO}),
    ("name", "contains", ["_"], {ATHENS}),
    ("name", "contains", ["%"], set()),
    ("name", "contains", ["\\"], {BEIJING}),
    ("code", "contains", ["%"], {OSLO}),
    ("code", "is", ["50"], {ATHENS}),
    ("code", "isNot", ["50"], {OSLO, BEIJING}),
    ("code", "notContains", ["5"], {BEIJING}),
    ("code", "isNull", [], {BEIJING}),
    ("code", "isNotNull", [], {OSLO, ATHENS}),
    ("name", "oneOf", ["ÅSE & CO", "北京\\图书"], {OSLO, BEIJING}),
    ("category", "oneOf", ["1"], {OSLO}),
    ("category", "=", ["customer"], {OSLO}),
    ("category", "oneOf", ["[I:1]", "Prospect_x"], {OSLO, ATHENS}),
    ("category", "notOneOf", ["Customer"], {ATHENS, BEIJING}),
    ("category", "contains", ["T_X"], {ATHENS}),
    ("category", "isNull", [], {BEIJING}),
    ("country", "is", ["Norway"], {OSLO}),
    ("associateId", "currentAssociate", [], {OSLO}),
    ("ourContact", "associateIsOneOf", ["2"], {ATHENS}),
    ("associateId", "is", ["bob"], {ATHENS}),
    ("associateId", "is", ["Bob User"], {ATHENS}),
    ("associateId", "currentGroup", [], {OSLO}),
    ("contactNoMail", "set", ["1"], {OSLO}),
    ("contactNoMail", "set", ["[B:0]"], {ATHENS, BEIJING}),
    ("postAddress/city", "is", ["oslo"], {OSLO}),
    ("city", "isNot", ["oslo"], {ATHENS, BEIJING}),
    ("zip", "isNull", [], {ATHENS, BEIJING}),
    ("phone", "begins", ["+47 2"], {OSLO}),
    ("udef.long01", "greaterEquals", ["7"], {OSLO}),
    ("contactUdef/udef.string05", "is", ["GOLD"], {OSLO}),
    ("udef.string05", "isNull", [], {ATHENS, BEIJING}),
    ("saleCount", "greater", ["1"], {OSLO}),
    ("activityCount", "=", ["0"], {BEIJING}),
    ("lastActivity", "beforeDays", ["90"], {ATHENS}),
    ("lastActivity", "isNull", [], {BEIJING}),
    ("sale/saleStatus", "is", ["Sold"], {OSLO}),
    ("sale/amount", "less", ["0"], {ATHENS}),
    ("withoutSale/saleStatus", "is", ["sold"], {ATHENS, BEIJING}),
    ("activity/date", "today", [], {OSLO}),
    ("withoutActivity/date", "thisYear", [], {BEIJING}),
    ("document/date", "lastDays", ["1"], {BEIJING}),
    ("sale/activity/date", "today", [], set()),
]  # fmt: skip

SALES = [
    ("date", "isNull", [], {"lost", "undated"}),
    ("date", "isNotNull", [], {"small", "big"}),
    ("date", "before", ["2025-01-01"], {"big"}),
    ("date", "after", ["31.12.2024"], {"small"}),
    ("date", "date", ["[D:12/31/2024]"], {"big"}),
    ("date", "dateBetween", ["2025-05-01", "2024-12-31"], {"small", "big"}),
    ("date", "thisMonth", [], {"small"}),
    ("date", "lastMonth", [], set()),
    ("date", "previousPeriod", ["2", "2"], {"small"}),
    ("date", "thisPeriod", ["5"], {"small"}),
    ("date", "thisAndPrevious", ["1", "5"], {"small", "big"}),
    ("date", "lastDays", ["13"], {"small"}),
    ("date", "lastDays", ["12"], set()),
    ("date", "beforeToday", [], {"small", "big"}),
    ("date", "beforeTime", ["2024-12-31 23:30"], {"big"}),
    ("amount", "between", ["-10", "10"], {"small", "lost"}),
    ("amount", "<>", ["10"], {"big", "lost", "undated"}),
    ("amount", "isNull", [], {"undated"}),
    ("amount", "=", ["-5,5"], {"lost"}),
    ("status", "oneOf", ["2", "Lost"], {"big", "lost"}),
    ("contact/city", "is", ["Oslo"], {"small", "big"}),
    ("contact/city", "isNot", ["Oslo"], {"lost", "undated"}),
    ("contact/category", "is", ["Prospect_x"], {"lost"}),
    ("saleId", "greater", ["99999999999999"], set()),
    ("status", "oneOf", ["99999999999999", "3"], {"lost"}),
    ("date", "oneOf", ["2024-12-31", "2025-05-01", "2025-03-03"], {"small", "big"}),
    ("date", "oneOf", ["2024-12-30", "2025-05-02", "1760-01-01"], set()),
    ("amount", "oneOf", ["10", "-5,5"], {"small", "lost"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operator", "values", "expected"), COMPANIES)
def test_a_criterion_finds_these_companies(
    connection: Connection, name: str, operator: str, values: list[str], expected: set[str]
) -> None:
    own = {"ANN", "BOB"}
    tree = Criterion(name=name, operator=operator, values=tuple(values))
    assert found(connection, "contact", tree) - own == expected


@pytest.mark.parametrize(("name", "operator", "values", "expected"), SALES)
def test_a_criterion_finds_these_sales(
    connection: Connection, name: str, operator: str, values: list[str], expected: set[str]
) -> None:
    assert found(connection, "sale", Criterion(name=name, operator=operator, values=tuple(values))) == expected


#: More than the 65 535 parameters that a statement takes.
MANY = [str(number) for number in range(1, 70_001)]
A_DAY_EACH = [str(date(1900, 1, 1) + timedelta(days=number)) for number in range(70_000)]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("amount", [f"{value}.0" for value in MANY], {"small", "big"}),
        ("saleId", MANY, {"small", "big", "lost", "undated"}),
        ("heading", ["SMALL", *MANY], {"small"}),
        ("status", ["2", *MANY[100:]], {"big"}),
        ("contact/category", MANY, {"small", "big", "lost"}),
        ("contact/category", ["prospect_X", *(f"no such {value}" for value in MANY)], {"lost"}),
        ("date", A_DAY_EACH, {"small", "big"}),
    ],
)
def test_one_of_takes_more_values_than_a_statement_takes_parameters(
    connection: Connection, name: str, values: list[str], expected: set[str]
) -> None:
    assert len(values) > 65_535
    assert found(connection, "sale", Criterion(name=name, operator="oneOf", values=tuple(values))) == expected


def test_a_refused_criterion_with_many_values_is_told_in_one_sentence(connection: Connection) -> None:
    values = (*MANY, "two")
    with pytest.raises(TaskFailure, match=r"The criterion saleId oneOf '1' .* '5' and 69996 more cannot be read"):
        found(connection, "sale", Criterion(name="saleId", operator="oneOf", values=values))


def test_criteria_on_one_link_that_stand_side_by_side_are_about_the_same_record(connection: Connection) -> None:
    small = Criterion(name="sale/amount", operator="less", values=("100",))
    sold = Criterion(name="sale/saleStatus", operator="is", values=("Sold",))
    assert found(connection, "contact", Group(members=(small, sold))) == set()
    assert found(connection, "contact", Group(members=(small, sold), any=True)) == {OSLO, ATHENS}


def test_a_group_can_be_denied(connection: Connection) -> None:
    customer = Criterion(name="category", operator="is", values=("Customer",))
    assert found(connection, "contact", Group(members=(customer,), denied=True)) == {ATHENS, BEIJING}


WRONG = [
    ("nmae", "is", ["x"], "A contact has no field 'nmae'. Did you mean name"),
    ("sale/amuont", "less", ["1"], "A sale has no field 'amuont'. Did you mean amount?"),
    ("sale", "is", ["x"], "A contact has no field 'sale'."),
    ("name", "beginns", ["x"], "'name' is a text field. Did you mean begins"),
    ("name", "greater", ["x"], "'name' is a text field."),
    ("saleCount", "is", ["two"], "'saleCount' takes whole numbers."),
    ("saleCount", "is", [str(2**70)], "'saleCount' takes whole numbers."),
    ("sale/date", "after", ["soon"], "'date' takes dates such as 2025-01-31"),
    ("sale/date", "lastDays", ["-3"], "'date' takes dates such as 2025-01-31"),
    ("sale/date", "lastDays", ["9999999999"], "'date' takes dates"),
    ("sale/date", "nextPeriod", ["3"], "needs 2 values, not 1."),
    ("sale/date", "nextPeriod", ["3", "9"], "'date' takes dates"),
    ("sale/amount", "between", ["3"], "needs 2 values, not 1."),
    ("sale/amount", "less", ["nan"], "'amount' takes numbers such as 12.5"),
    ("sale/saleStatus", "is", ["Won"], "'saleStatus' takes ids of list items, or their names."),
    ("name", "is", ["a\x00b"], "cannot be read"),
    ("stop", "set", ["perhaps"], "'stop' takes 1 or 0."),
    ("category", "oneOf", [], "needs at least one value."),
    ("name", "is", [], "needs at least one value."),
    ("name", "is", ["\ud800"], "cannot be read"),
    ("sale/date", "thisWeak", [], "'date' is a date field. Did you mean thisWeek"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operator", "values", "sentence"), WRONG)
def test_a_criterion_that_cannot_be_asked_is_refused_in_words(
    connection: Connection, name: str, operator: str, values: list[str], sentence: str
) -> None:
    with pytest.raises(TaskFailure) as refused:
        found(connection, "contact", Criterion(name=name, operator=operator, values=tuple(values)))
    assert sentence in str(refused.value)
