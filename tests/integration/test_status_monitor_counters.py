from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from batchtask import crm7
from batchtask.database import make_engine
from batchtask.demo.sample_status_monitors import Ask
from tests.status_monitor_support import (
    COMPANY,
    CUSTOMER,
    PERSON,
    PROJECT,
    STAGED,
    Crm,
    Meanwhile,
    days_ago,
    regenerate,
)

ONE_APPOINTMENT = {"type": 1, "status": 1}


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    engine: Engine = make_engine(database_url)
    crm = Crm(engine)
    crm.configure(COMPANY, 30, 90, 365)
    yield crm
    engine.dispose()


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Meanwhile:
    return Meanwhile(database_url, tmp_path)


def counted(crm: Crm, columns: str, where: str = "true") -> list[Any]:
    return crm.read(f"SELECT {columns} FROM crm7.countervalue WHERE {where} ORDER BY {columns}")


def test_activities_are_counted_by_kind_direction_and_intention(crm: Crm, context: Meanwhile) -> None:
    company = crm.companies(CUSTOMER)[0]
    call, visit = crm.add(
        crm7.task,
        {"name": "Call", "record_type": 5, "direction": 2, "intentid": 3},
        {"name": "Visit", "record_type": 1, "direction": 1},
    )
    letter = crm.add(crm7.doctmpl, {"name": "Letter", "record_type": 4, "direction": 2, "intentid": 1})[0]
    crm.add(
        crm7.appointment,
        {"contact_id": company, "task_idx": call, "activedate": days_ago(10), "type": 2, "status": 3},
        {"contact_id": company, "task_idx": call, "activedate": days_ago(40), "type": 2, "status": 1},
        {"contact_id": company, "task_idx": visit, "activedate": days_ago(100), "type": 1, "status": 1},
        {
            "contact_id": company,
            "task_idx": letter,
            "document_id": 7,
            "activedate": days_ago(1),
            "type": 4,
            "status": 3,
        },
        {"contact_id": company, "task_idx": 99, "activedate": days_ago(1), "type": 1, "status": 1},
    )

    assert regenerate(context, what="counters").startswith("Counters of companies regenerated: 4 added, 0 changed")
    assert counted(crm, "record_type, direction, intent_id, totalreg") == [
        (1, 0, 0, 1),
        (1, 1, 0, 1),
        (4, 2, 1, 1),
        (5, 2, 3, 2),
    ]
    assert counted(crm, "totalreg, totalreginperiod, extra1_count, extra3_count", "record_type = 5") == [(2, 1, 2, 2)]
    assert counted(crm, "notcompleted, notcompletedinperiod, extra2_count, extra4_count", "record_type = 5") == [
        (1, 0, 1, 1)
    ]
    [dates] = counted(crm, "lastregistered, lastcompleted, lastdoby", "record_type = 5")
    assert [(days_ago(0) - moment).days for moment in dates] == [10, 10, 40]


def test_what_is_no_activity_of_its_own_is_not_counted(crm: Crm, context: Meanwhile) -> None:
    company = crm.companies(CUSTOMER)[0]
    common = {"contact_id": company, "activedate": days_ago(1)}
    [mother] = crm.add(crm7.appointment, {**common, "type": 1, "status": 1})
    crm.write("UPDATE crm7.appointment SET mother_id = appointment_id")
    crm.add(
        crm7.appointment,
        {**common, "type": 1, "status": 5, "mother_id": mother},
        {**common, "type": 3, "status": 0},
        {**common, "type": 8, "status": 1},
        {**common, "type": 1, "status": 4},
        {**common, "type": 1, "status": 10},
        {**common, "type": 1, "status": 1, "contact_id": 0},
        {**common, "type": 1, "status": 1, "contact_id": 9999},
    )
    regenerate(context, what="counters")
    assert counted(crm, "contact_id, totalreg") == [(company, 1)]


def test_sales_are_counted_by_state_and_amount_and_all_together(crm: Crm, context: Meanwhile) -> None:
    company = crm.companies(CUSTOMER)[0]
    small, large = crm.add(
        crm7.amountclass,
        {"name": "Small", "amountfrom": 0, "amountto": 999},
        {"name": "Large", "amountfrom": 1000},
    )
    crm.add(
        crm7.sale,
        {"contact_id": company, "saledate": days_ago(5), "amount": 100, "status": 1},
        {"contact_id": company, "saledate": days_ago(6), "amount": 5000, "status": 2},
        {"contact_id": company, "saledate": days_ago(7), "amount": 6000, "status": 3},
        {"contact_id": company, "saledate": days_ago(8), "amount": -1, "status": 2},
    )
    regenerate(context, what="counters")
    assert counted(crm, "sale_status, amountclassid, totalreg, notcompleted") == [
        (1, small, 1, 1),
        (2, 0, 1, 0),
        (2, large, 1, 0),
        (3, large, 1, 0),
        (1000, 0, 1, 0),
        (1000, small, 1, 1),
        (1000, large, 2, 0),
    ]


def test_persons_and_projects_have_counters_of_their_own(crm: Crm, context: Meanwhile) -> None:
    company = crm.companies(CUSTOMER)[0]
    person = crm.add(crm7.person, {"contact_id": company})[0]
    project = crm.add(crm7.project, {"name": "Bokmesse"})[0]
    crm.configure(PERSON)
    crm.configure(PROJECT)
    owners = {"contact_id": company, "person_id": person, "project_id": project}
    crm.add(crm7.appointment, {**ONE_APPOINTMENT, **owners, "activedate": days_ago(1)})
    response = regenerate(context, what="counters")
    assert (
        response
        == "Counters of companies, persons and projects regenerated: 3 added, 0 changed, 0 removed, 0 unchanged."
    )
    assert counted(crm, "contact_id, person_id, project_id") == [(0, 0, project), (0, person, 0), (company, 0, 0)]
    assert (
        crm.read("SELECT rowsgenerated, generationstart <= generationend FROM crm7.saintconfiguration")
        == [(1, True)] * 3
    )


def test_kinds_without_settings_are_skipped(crm: Crm, context: Meanwhile) -> None:
    crm.configure(PERSON, enabled=0)
    assert regenerate(context, what="counters").endswith("0 unchanged; 2 skipped, see the log.")
    assert [line for _, line in context.lines] == [
        "skipped: Counters of persons: they are switched off",
        "skipped: Counters of projects: there are no settings for them",
    ]


def test_only_counters_that_differ_are_written(crm: Crm, context: Meanwhile) -> None:
    stays, grows, ends = crm.companies(*[CUSTOMER] * 3)
    crm.add(
        crm7.appointment,
        *({**ONE_APPOINTMENT, "contact_id": one, "activedate": days_ago(1)} for one in (stays, grows, ends)),
    )
    regenerate(context, what="counters")
    before = counted(crm, "contact_id, countervalue_id, xmin::text")
    crm.add(crm7.appointment, {**ONE_APPOINTMENT, "contact_id": grows, "activedate": days_ago(0)})
    crm.write("DELETE FROM crm7.appointment WHERE contact_id = :id", id=ends)

    response = regenerate(context.again(), what="counters")

    assert response.startswith("Counters of companies regenerated: 0 added, 1 changed, 1 removed, 1 unchanged")
    assert counted(crm, "contact_id, totalreg") == [(stays, 1), (grows, 2)]
    after = counted(crm, "contact_id, countervalue_id, xmin::text")
    assert after[0] == before[0]
    assert after[1][:2] == before[1][:2]


def test_a_counter_that_the_crm_has_counted_on_meanwhile_is_left_to_it(crm: Crm, context: Meanwhile) -> None:
    company = crm.companies(CUSTOMER)[0]
    crm.add(crm7.appointment, {**ONE_APPOINTMENT, "contact_id": company, "activedate": days_ago(1)})
    regenerate(context, what="counters")
    crm.add(crm7.appointment, {**ONE_APPOINTMENT, "contact_id": company, "activedate": days_ago(0)})

    def count_on() -> None:
        crm.write("UPDATE crm7.countervalue SET totalreg = 17")

    second = context.again()
    second.acts = {3: count_on}
    regenerate(second, what="counters")
    assert counted(crm, "totalreg") == [(17,)]


@pytest.mark.parametrize(
    ("asks", "found"),
    [
        ([("NumberOfActivities", "is", ("0",))], {"nothing"}),
        ([("NumberOfActivities", "less", ("2",))], {"nothing", "one"}),
        ([("NumberOfActivities", "greater", ("0",))], {"one", "three"}),
        ([("NumberOfActivities", "isNot", ("1",))], {"nothing", "three"}),
        ([("NumberOfActivitiesInPeriod", "is", ("0",))], {"nothing", "one"}),
        ([("NumberOfActivitiesInPeriod2", "is", ("1",))], {"one"}),
        ([("NumberOfNotCompletedActivities", "greaterEquals", ("2",))], {"three"}),
        ([("NumberOfActivities", "greater", ("0",)), ("saintActivityType", "is", ("5",))], {"three"}),
        ([("NumberOfActivities", "is", ("0",)), ("saintDirection", "oneOf", ("2",))], {"nothing", "one"}),
        ([("NumberOfActivities", "is", ("1",)), ("saintDirection", "is", ("-1",))], {"one"}),
        ([("LastActivity", "beforeDays", ("14",))], {"one"}),
        ([("LastActivity", "isNull", ())], {"nothing"}),
        ([("LastCompletedActivity", "isNotNull", ())], {"one"}),
        ([("NumberOfSales", "is", ("2",))], {"three"}),
        ([("NumberOfSales", "is", ("1",)), ("saintSaleStatus", "is", ("3",))], {"three"}),
        ([("NumberOfSales", "is", ("0",)), ("saintAmountClass", "is", ("1",))], {"nothing", "one"}),
    ],
    ids=lambda value: (
        " ".join(f"{name} {operator} {' '.join(values)}" for name, operator, values in value)
        if isinstance(value, list)
        else ""
    ),
)
def test_counters_are_asked_by_monitors(crm: Crm, context: Meanwhile, asks: list[Ask], found: set[str]) -> None:
    nothing, one, three = crm.companies(*[CUSTOMER] * 3)
    names = {nothing: "nothing", one: "one", three: "three"}
    call = crm.add(crm7.task, {"name": "Call", "record_type": 5, "direction": 2})[0]
    large = crm.add(crm7.amountclass, {"name": "Large", "amountfrom": 1000})[0]
    assert large == 1
    crm.add(
        crm7.appointment,
        {"contact_id": one, "activedate": days_ago(60), "type": 1, "status": 3},
        *(
            {"contact_id": three, "activedate": days_ago(n), "type": 1, "status": 1, "task_idx": call}
            for n in (1, 2, 400)
        ),
    )
    crm.add(
        crm7.sale,
        {"contact_id": three, "saledate": days_ago(5), "amount": 5000, "status": 1},
        {"contact_id": three, "saledate": days_ago(6), "amount": 10, "status": 3},
    )
    monitor = crm.monitor("Asked", tuple(asks))

    regenerate(context, what="all")

    assert {names[company] for company in crm.signalled(monitor)} == found


def test_a_counter_that_the_crm_inserts_while_it_is_missing_is_not_inserted_twice(
    crm: Crm, context: Meanwhile
) -> None:
    company = crm.companies(CUSTOMER)[0]
    crm.add(crm7.appointment, {**ONE_APPOINTMENT, "contact_id": company, "activedate": days_ago(1)})
    its_own = {"contact_id": company, "record_type": 1, "totalreg": 1, "notcompleted": 1}
    context.acts = {STAGED: lambda: crm.add(crm7.countervalue, its_own)}

    regenerate(context, what="counters")

    assert counted(crm, "record_type, totalreg") == [(1, 1)]


def test_counters_that_are_there_twice_are_counted_once_again(crm: Crm, context: Meanwhile) -> None:
    twice, once = crm.companies(*[CUSTOMER] * 2)
    crm.add(
        crm7.appointment,
        *({**ONE_APPOINTMENT, "contact_id": one, "activedate": days_ago(1)} for one in (twice, once)),
    )
    monitor = crm.monitor("One activity", (("NumberOfActivities", "is", ("1",)),))
    regenerate(context, what="counters")
    crm.add(
        crm7.countervalue,
        {"contact_id": twice, "record_type": 1, "totalreg": 1},
        {"contact_id": twice, "record_type": 1, "totalreg": 7},
        {"contact_id": 4711, "record_type": 1, "totalreg": 1},
        {"contact_id": 4711, "record_type": 1, "totalreg": 1},
    )

    response = regenerate(context.again(), what="all")

    assert response.startswith("Counters of companies regenerated: 0 added, 0 changed, 4 removed, 2 unchanged")
    assert counted(crm, "contact_id, totalreg") == [(twice, 1), (once, 1)]
    assert crm.signalled(monitor) == [twice, once]
