from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from batchtask import crm7
from batchtask.crm7.administrators import GENERAL_ADMINISTRATOR
from batchtask.database import make_engine
from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.outcomes import Succeeded
from batchtask.task_flags import standing_flags
from batchtask.testing import FakeContext, Killed, killed_everywhere
from tests.status_monitor_support import (
    COMPANY,
    CUSTOMER,
    CUSTOMERS,
    PERSON,
    PROJECT,
    PROSPECT,
    Crm,
    Meanwhile,
    days_ago,
    regenerate,
)
from worker.tasks.status_monitors import status_monitors


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    engine: Engine = make_engine(database_url)
    yield Crm(engine)
    engine.dispose()


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Meanwhile:
    return Meanwhile(database_url, tmp_path)


def refusal(context: FakeContext, **parameters: object) -> str:
    with pytest.raises(TaskFailure) as failure:
        regenerate(context, **parameters)
    return str(failure.value)


def test_the_first_generation_inserts_what_fits_and_keeps_the_books(crm: Crm, context: Meanwhile) -> None:
    first, _, third = crm.companies(CUSTOMER, PROSPECT, CUSTOMER)
    monitor = crm.monitor("Customers", CUSTOMERS)

    response = regenerate(context)

    assert response == "1 status monitor regenerated: 2 added, 0 removed, 0 unchanged."
    assert crm.signalled(monitor) == [first, third]
    book = crm.book(monitor)
    assert (book.needsupdate, book.nummatches, book.numneedupdate) == (0, 2, 0)
    assert book.generationstart <= book.lastgenerated


def test_a_generation_without_changes_touches_no_row(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER, PROSPECT, CUSTOMER)
    monitor = crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    before = crm.rows_of(monitor)

    assert regenerate(context.again()) == "1 status monitor regenerated: 0 added, 0 removed, 2 unchanged."
    assert crm.rows_of(monitor) == before


def test_what_no_longer_fits_goes_and_what_was_marked_is_settled(crm: Crm, context: Meanwhile) -> None:
    stays, leaves, marked, marked_and_left = crm.companies(*[CUSTOMER] * 4)
    monitor = crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    crm.write("UPDATE crm7.contact SET category_idx = :other WHERE contact_id = :id", other=PROSPECT, id=leaves)
    crm.edit(marked)
    crm.edit(marked_and_left, category_idx=PROSPECT)
    comes = crm.companies(CUSTOMER)[0]

    assert regenerate(context.again()) == "1 status monitor regenerated: 2 added, 2 removed, 1 unchanged."
    assert crm.signalled(monitor) == [stays, marked, comes]
    assert crm.read("SELECT count(*) FROM crm7.statusvalue") == [(3,)]


def test_values_that_are_there_twice_become_one(crm: Crm, context: Meanwhile) -> None:
    valid, marked, gone = crm.companies(*[CUSTOMER] * 3)
    monitor = crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    for company, on in ((valid, 1), (valid, 0), (marked, 0), (gone, 1)):
        crm.add(
            crm7.statusvalue,
            {"statusdef_id": monitor, "contact_id": company, "issignalled": on, "needsupdate": 1 - on},
        )
    crm.write("UPDATE crm7.statusvalue SET issignalled = 0, needsupdate = 1 WHERE contact_id = :id", id=marked)
    crm.write("UPDATE crm7.contact SET category_idx = :other WHERE contact_id = :id", other=PROSPECT, id=gone)

    response = regenerate(context.again())

    assert response == "1 status monitor regenerated: 1 added, 5 removed, 1 unchanged."
    assert crm.signalled(monitor) == [valid, marked]
    assert (crm.book(monitor).nummatches, crm.book(monitor).numneedupdate) == (2, 0)


def test_new_rows_get_ids_that_nobody_else_gets(crm: Crm, context: Meanwhile) -> None:
    crm.companies(*[CUSTOMER] * 20)
    monitors = [crm.monitor(f"Customers {n}", CUSTOMERS) for n in range(3)]
    regenerate(context)
    [(free,)] = crm.read("SELECT next_id FROM crm7.sequence WHERE tablename = 'StatusValue'")
    ids = [row[0] for monitor in monitors for row in crm.rows_of(monitor)]
    assert sorted(ids) == list(range(1, 61))
    assert free == 61


def test_monitors_of_persons_and_projects_write_their_own_column(crm: Crm, context: Meanwhile) -> None:
    company = crm.companies(CUSTOMER)[0]
    persons = crm.add(crm7.person, {"contact_id": company, "title": "Director"}, {"contact_id": company})
    projects = crm.add(crm7.project, {"name": "Bokmesse", "done": 0}, {"name": "Ferdig", "done": 1})
    directors = crm.monitor("Directors", (("title", "is", ("director",)),), PERSON)
    running = crm.monitor("Running", (("completed", "is", ("0",)),), PROJECT)

    regenerate(context)

    assert crm.signalled(directors, PERSON) == persons[:1]
    assert crm.signalled(running, PROJECT) == projects[:1]
    assert crm.read("SELECT contact_id, person_id, project_id FROM crm7.statusvalue ORDER BY statusdef_id") == [
        (0, persons[0], 0),
        (0, 0, projects[0]),
    ]


def test_deleted_companies_fit_nothing(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER, deleted=1)
    crm.companies(CUSTOMER, deleteddate=days_ago(3).astimezone())
    monitor = crm.monitor("Customers", CUSTOMERS)
    assert regenerate(context) == "1 status monitor regenerated: 0 added, 0 removed, 0 unchanged."
    assert crm.signalled(monitor) == []


def test_criteria_that_hold_for_everybody_or_nobody(crm: Crm, context: Meanwhile) -> None:
    companies = crm.companies(*[CUSTOMER] * 50)
    everybody = crm.monitor("Everybody", (("contactId", "greater", ("0",)),))
    nobody = crm.monitor("Nobody", (("contactId", "less", ("0",)),))
    assert regenerate(context) == "2 status monitors regenerated: 50 added, 0 removed, 0 unchanged."
    assert crm.signalled(everybody) == companies
    assert crm.signalled(nobody) == []


def test_sliding_dates_count_from_the_databases_today(crm: Crm, context: Meanwhile) -> None:
    recent, old, never = crm.companies(*[CUSTOMER] * 3)
    crm.add(
        crm7.sale,
        {"contact_id": recent, "saledate": days_ago(89), "status": 2},
        {"contact_id": old, "saledate": days_ago(91), "status": 2},
    )
    sold = crm.monitor("Sold", (("sale/date", "lastDays", ("90",)),))
    not_sold = crm.monitor("Not sold", (("withoutSale/date", "lastDays", ("90",)),))
    regenerate(context)
    assert crm.signalled(sold) == [recent]
    assert crm.signalled(not_sold) == [old, never]


def test_a_monitor_that_cannot_be_asked_keeps_its_values_and_does_not_stop_the_others(
    crm: Crm, context: Meanwhile
) -> None:
    company = crm.companies(CUSTOMER)[0]
    broken = {
        "Removed field": (("SuperOffice:77", "is", ("x",)),),
        "Wrong operator": (("name", "lastDays", ("7",)),),
        "Wrong value": (("registeredDate", "before", ("yesterday noon",)),),
        "No criteria": (),
        "Who asks": (("associateId", "currentAssociate", ()),),
        "Odd list": (("saintDirection", "begins", ("in",)), ("NumberOfActivities", "is", ("1",))),
    }
    numbers = {name: crm.monitor(name, asks) for name, asks in broken.items()}
    numbers["Nobody's"] = crm.monitor("Nobody's", CUSTOMERS, owner_table=99)
    sound = crm.monitor("Customers", CUSTOMERS)
    for number in numbers.values():
        crm.add(crm7.statusvalue, {"statusdef_id": number, "contact_id": company, "issignalled": 1})

    response = regenerate(context)

    assert response == "1 status monitor regenerated: 1 added, 0 removed, 0 unchanged; 7 skipped, see the log."
    assert crm.signalled(sound) == [company]
    assert all(crm.signalled(number) == [company] for number in numbers.values())
    assert all(crm.book(number).needsupdate for number in numbers.values())
    assert {level for level, _ in context.lines} == {logging.WARNING}
    reasons = dict(line.removeprefix("skipped: ").split(": ", 1) for _, line in context.lines)
    assert list(reasons) == [*list(broken), "Nobody's"]
    assert reasons["Removed field"].startswith("A contact has no field 'SuperOffice:77'.")
    assert reasons["Wrong operator"].startswith("The criterion name lastDays '7' cannot be asked")
    assert reasons["Wrong value"].startswith("The criterion registeredDate before 'yesterday noon' cannot be read")
    assert reasons["No criteria"] == "It has no criteria: add at least one."
    assert "asks for the current user" in reasons["Who asks"]
    assert reasons["Odd list"].startswith("The criterion saintDirection begins 'in' cannot be asked")
    assert reasons["Nobody's"] == "It belongs neither to companies nor to persons nor to projects."


def test_values_that_do_not_fit_the_criteria_are_told_and_the_next_monitor_runs(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    crm.monitor("Too large a number", (("contactId", "is", (str(2**62),)),))
    sound = crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    assert len(crm.signalled(sound)) == 1


def test_one_monitor_alone(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    wanted, other = crm.monitor("Customers", CUSTOMERS), crm.monitor("The same", CUSTOMERS)
    assert regenerate(context, monitor_id=wanted) == "1 status monitor regenerated: 1 added, 0 removed, 0 unchanged."
    assert crm.signalled(other) == []
    assert crm.book(other).lastgenerated is None


def test_one_monitor_that_cannot_be_regenerated_fails_the_task(crm: Crm, context: Meanwhile) -> None:
    broken = crm.monitor("Broken", (("nosuchfield", "is", ("1",)),))
    deleted = crm.monitor("Gone", CUSTOMERS)
    crm.write("UPDATE crm7.statusdef SET deleted = 1 WHERE statusdef_id = :id", id=deleted)
    assert refusal(context, monitor_id=broken).startswith(
        "The status monitor 'Broken' cannot be regenerated. A contact has no field 'nosuchfield'."
    )
    assert refusal(context, monitor_id=deleted) == "The status monitor 'Gone' is deleted: restore it first."
    assert refusal(context, monitor_id=99) == "There is no status monitor 99: choose another."
    assert "leave out what" in refusal(context, monitor_id=broken, what="counters")


def test_deleted_monitors_are_left_out_with_a_line(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    deleted = crm.monitor("Gone", CUSTOMERS)
    crm.write("UPDATE crm7.statusdef SET deleted = 1")
    assert regenerate(context) == "No status monitors were regenerated."
    assert context.lines == [(logging.INFO, "left out: Gone: it is deleted")]
    assert crm.signalled(deleted) == []


def test_without_any_monitors_there_is_nothing_to_do(context: Meanwhile) -> None:
    assert regenerate(context) == "No status monitors were regenerated."


def test_monitors_of_a_kind_that_is_switched_off_are_skipped(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    crm.monitor("Customers", CUSTOMERS)
    crm.configure(COMPANY, enabled=0)
    assert regenerate(context) == "No status monitors were regenerated; 1 skipped, see the log."


def test_only_administrators_may_regenerate(crm: Crm, context: Meanwhile) -> None:
    user, administrator = crm.add(crm7.associate, {"name": "HT"}, {"name": "IH"})
    role = crm.add(crm7.role, {"name": "Chief"})[0]
    right = crm.add(crm7.functionright, {"name": GENERAL_ADMINISTRATOR})[0]
    crm.add(crm7.functionrightrolelink, {"roleid": role, "functionrightid": right})
    crm.add(crm7.userrolelink, {"associate_id": administrator, "role_id": role})

    context.owner = user
    assert refusal(context) == "Only administrators may regenerate status monitors and counters: ask one of them."
    context.owner = administrator
    assert regenerate(context) == "No status monitors were regenerated."


def test_the_rebuild_event_stands_while_the_task_runs(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    crm.monitor("Customers", CUSTOMERS)
    seen: list[list[str]] = []

    def look() -> None:
        with crm.engine.connect() as connection:
            seen.append(standing_flags(connection, "ROURebuild"))

    context.acts = {1: look, 3: look}
    regenerate(context)
    assert seen == [["ROURebuild"], ["ROURebuild"]]


def test_a_run_that_was_killed_between_two_monitors_goes_on_with_the_next(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER, CUSTOMER)
    monitors = [crm.monitor(f"Customers {n}", CUSTOMERS) for n in range(4)]
    context.killed_after = 7  # in the middle of the third
    with pytest.raises(Killed):
        regenerate(context)
    assert [len(crm.signalled(monitor)) for monitor in monitors] == [2, 2, 0, 0]
    done = [crm.book(monitor).lastgenerated for monitor in monitors[:2]]
    broken_off = crm.book(monitors[2])
    assert broken_off.generationstart is not None
    assert broken_off.lastgenerated is None

    context.next_attempt()
    assert regenerate(context) == "4 status monitors regenerated: 8 added, 0 removed, 0 unchanged."
    assert [len(crm.signalled(monitor)) for monitor in monitors] == [2, 2, 2, 2]
    assert [crm.book(monitor).lastgenerated for monitor in monitors[:2]] == done


def test_wherever_a_run_is_killed_the_next_attempt_ends_it(crm: Crm, context: Meanwhile) -> None:
    companies = crm.companies(CUSTOMER, CUSTOMER)
    crm.configure(COMPANY)
    crm.add(crm7.appointment, {"contact_id": companies[0], "activedate": days_ago(1), "type": 1, "status": 1})
    monitors = [crm.monitor(f"Customers {n}", CUSTOMERS) for n in range(2)]

    def begin() -> Meanwhile:
        crm.clear()
        return context.again()

    for ending in killed_everywhere(status_monitors, begin, what="all"):
        assert isinstance(ending.outcome, Succeeded), ending.moment
        assert "regenerated: 4 added, 0 removed, 0 unchanged." in ending.outcome.response, ending.moment
        assert [crm.signalled(monitor) for monitor in monitors] == [companies, companies], ending.moment
        assert crm.read("SELECT count(*) FROM crm7.countervalue") == [(1,)], ending.moment
        assert not any(crm.book(monitor).needsupdate for monitor in monitors), ending.moment


def test_a_stop_leaves_finished_monitors_new_and_the_others_old(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    first, second = crm.monitor("First", CUSTOMERS), crm.monitor("Second", CUSTOMERS)
    context.cancel_after = 5
    with pytest.raises(CancelledByRequest):
        regenerate(context)
    assert (len(crm.signalled(first)), len(crm.signalled(second))) == (1, 0)


def test_a_monitor_that_was_broken_off_comes_last(crm: Crm, context: Meanwhile) -> None:
    """It may be the one that no attempt survives."""
    slow = crm.monitor("Slow", CUSTOMERS)
    crm.monitor("First", CUSTOMERS)
    crm.monitor("Second", CUSTOMERS)
    regenerate(context)
    crm.write("UPDATE crm7.statusdef SET lastgenerated = NULL WHERE statusdef_id = :slow", slow=slow)
    again = context.again()
    regenerate(again)
    assert [text for _, text in again.reports] == ["First (1 of 3)", "Second (2 of 3)", "Slow (3 of 3)", "Done"]


def test_progress_names_the_monitor(crm: Crm, context: Meanwhile) -> None:
    crm.monitor("Forsømt kunde", CUSTOMERS)
    crm.monitor("Πελάτης", CUSTOMERS)
    regenerate(context)
    assert context.reports == [(0, "Forsømt kunde (1 of 2)"), (50, "Πελάτης (2 of 2)"), (100, "Done")]
