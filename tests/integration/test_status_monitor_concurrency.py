"""Users work in the CRM while status monitors are regenerated, and several regenerations meet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from batchtask import crm7
from batchtask.database import make_engine
from batchtask.definitions import CancelledByRequest
from batchtask.testing import run_task
from batchtask.udef.fields import FieldType
from tests.polling import eventually
from tests.status_monitor_support import (
    BEFORE,
    CUSTOMER,
    CUSTOMERS,
    PROSPECT,
    READING,
    STAGED,
    Crm,
    Meanwhile,
    days_ago,
    edit_company,
    regenerate,
)
from tests.udef_support import Udefs, holding, publishing, waiting, with_defaults
from worker.tasks.publish_udef import publish_udef
from worker.tasks.status_monitors.exclusion import Work


@pytest.fixture
def crm(database_url: str) -> Iterator[Crm]:
    engine: Engine = make_engine(database_url, idle_seconds=None)
    yield Crm(engine)
    engine.dispose()


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Meanwhile:
    return Meanwhile(database_url, tmp_path)


def test_a_mark_that_is_set_meanwhile_is_not_overwritten(crm: Crm, context: Meanwhile) -> None:
    marked_before, marked_twice, leaves = crm.companies(*[CUSTOMER] * 3)
    monitor = crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    crm.edit(marked_before)
    crm.edit(marked_twice)
    crm.write("UPDATE crm7.contact SET category_idx = :other WHERE contact_id = :id", other=PROSPECT, id=leaves)

    def work() -> None:
        crm.edit(marked_twice, category_idx=PROSPECT)
        crm.edit(leaves, category_idx=CUSTOMER)

    second = context.again()
    second.acts = {STAGED: work}
    regenerate(second)

    assert crm.signalled(monitor) == [marked_before]
    assert crm.dirty(monitor) == [marked_twice, leaves]
    assert crm.book(monitor).numneedupdate == 2


@pytest.mark.parametrize("what", ["company", "activity", "sale"])
def test_a_new_value_whose_company_has_changed_meanwhile_is_marked(crm: Crm, context: Meanwhile, what: str) -> None:
    quiet, edited = crm.companies(*[CUSTOMER] * 2)
    monitor = crm.monitor("Customers", CUSTOMERS)

    def work() -> None:
        match what:
            case "company":
                crm.edit(edited, category_idx=PROSPECT)
            case "activity":
                crm.add(crm7.appointment, {"contact_id": edited, "activedate": days_ago(0)})
            case "sale":
                crm.add(crm7.sale, {"contact_id": edited, "saledate": days_ago(0)})

    context.acts = {STAGED: work}
    regenerate(context)

    assert crm.signalled(monitor) == [quiet]
    assert crm.dirty(monitor) == [edited]
    assert (crm.book(monitor).nummatches, crm.book(monitor).numneedupdate) == (1, 1)


def test_a_monitor_that_is_not_marked_on_changes_is_not_marked_by_the_task_either(
    crm: Crm, context: Meanwhile
) -> None:
    companies = crm.companies(*[CUSTOMER] * 2)
    monitor = crm.monitor("Customers", CUSTOMERS)
    crm.write("UPDATE crm7.statusdef SET dirtyonchange = 0")
    context.acts = {STAGED: lambda: crm.edit(companies[0], category_idx=PROSPECT)}
    regenerate(context)
    assert crm.signalled(monitor) == companies
    assert crm.dirty(monitor) == []


def test_a_company_that_is_deleted_meanwhile_is_not_signalled(crm: Crm, context: Meanwhile) -> None:
    stays, goes = crm.companies(*[CUSTOMER] * 2)
    monitor = crm.monitor("Customers", CUSTOMERS)
    context.acts = {STAGED: lambda: crm.edit(goes, deleted=1)}
    regenerate(context)
    assert crm.signalled(monitor) == [stays]
    regenerate(context.again())
    assert crm.dirty(monitor) == []


@pytest.mark.parametrize("moment", [BEFORE, READING])
def test_a_user_defined_field_that_moves_to_another_column_meanwhile_is_asked_there(
    crm: Crm, context: Meanwhile, database_url: str, tmp_path: Path, moment: int
) -> None:
    udefs = Udefs(crm.engine)
    udefs.define({"Group": (FieldType.SHORT_TEXT, "string05"), "Other": (FieldType.SHORT_TEXT, "string06")})
    udefs.fill([{"Group": "Gold", "Other": "Gone"}, {"Group": "Silver", "Other": "Gold"}])
    monitor = crm.monitor("Gold", (("SuperOffice:1", "is", ("Gold",)),))

    def publish() -> None:
        udefs.edit("Group", indexed=1)
        udefs.start()
        run_task(publish_udef, publishing(database_url, tmp_path), owner="contact")

    context.acts = {moment: publish}
    regenerate(context)

    assert udefs.columns()["Group"] == "string01"
    [gold, _] = crm.read("SELECT contact_id FROM crm7.contact ORDER BY 1")
    assert crm.signalled(monitor) == [gold[0]]


def test_readers_see_the_old_values_until_the_new_ones_are_complete(crm: Crm, context: Meanwhile) -> None:
    old = crm.companies(CUSTOMER, CUSTOMER)
    monitor = crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    crm.write("UPDATE crm7.contact SET category_idx = :other", other=PROSPECT)
    new = crm.companies(CUSTOMER)
    seen: list[list[int]] = []
    second = context.again()
    second.acts = dict.fromkeys((READING, STAGED), lambda: seen.append(crm.signalled(monitor)))
    regenerate(second)
    assert seen == [old, old]
    assert crm.signalled(monitor) == new


def test_a_user_with_an_open_transaction_is_neither_waited_for_nor_overwritten(crm: Crm, context: Meanwhile) -> None:
    stays, held, leaves = crm.companies(*[CUSTOMER] * 3)
    monitor = crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    crm.edit(stays)
    crm.edit(held)
    crm.write("UPDATE crm7.contact SET category_idx = :other WHERE contact_id = :id", other=PROSPECT, id=leaves)
    with ExitStack() as open_transaction:
        user = open_transaction.enter_context(crm.engine.begin())
        edit_company(user, held)
        edit_company(user, leaves)
        regenerate(context.again())  # comes to an end
        assert crm.signalled(monitor) == [stays, leaves]
    assert crm.signalled(monitor) == [stays]
    assert crm.dirty(monitor) == [held, leaves]


def test_a_user_who_saves_while_values_are_exchanged_does_not_wait(crm: Crm, context: Meanwhile) -> None:
    companies = crm.companies(*[CUSTOMER] * 2)
    crm.monitor("Customers", CUSTOMERS)
    regenerate(context)
    second = context.again()
    saved: list[int] = []

    def save() -> None:
        with crm.engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            edit_company(connection, companies[0])
            connection.execute(text("UPDATE crm7.statusdef SET numneedupdate = numneedupdate + 1"))
        saved.append(companies[0])

    second.acts = {STAGED: save}
    regenerate(second)
    assert saved == companies[:1]


def test_a_limit_that_the_database_sets_to_statements_does_not_end_the_task(
    crm: Crm, database_url: str, tmp_path: Path
) -> None:
    companies = crm.companies(*[CUSTOMER] * 2)
    monitor = crm.monitor("Customers", CUSTOMERS)
    context = Meanwhile(with_defaults(database_url, statement_timeout="1500"), tmp_path)
    with ThreadPoolExecutor() as pool, holding(crm.engine, "LOCK TABLE crm7.contact IN ACCESS EXCLUSIVE MODE"):
        done = pool.submit(regenerate, context)
        eventually(lambda: waiting(crm.engine, seconds=2) or done.done())
    assert done.result() == "1 status monitor regenerated: 2 added, 0 removed, 0 unchanged."
    assert crm.signalled(monitor) == companies


def test_criteria_that_are_edited_meanwhile_leave_the_monitor_stale(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    monitor = crm.monitor("Customers", CUSTOMERS)
    context.acts = {STAGED: lambda: crm.write("UPDATE crm7.searchcriterionvalue SET stringvalue = '2'") and None}
    regenerate(context)
    assert crm.book(monitor).needsupdate == 1
    assert [line for _, line in context.lines] == [
        "Customers: its criteria were changed meanwhile; regenerate it once more"
    ]


def test_two_regenerations_at_once_insert_each_match_once(crm: Crm, context: Meanwhile) -> None:
    companies = crm.companies(*[CUSTOMER] * 300)
    monitors = [crm.monitor(f"Customers {n}", CUSTOMERS) for n in range(4)]
    runs = [{}, {"monitor_id": monitors[1]}, {"what": "all"}, {"monitor_id": monitors[3]}]
    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(lambda parameters: regenerate(context.again(), **parameters), runs))
    assert [crm.signalled(monitor) for monitor in monitors] == [companies] * 4


def test_whoever_waits_for_another_regeneration_can_be_stopped(crm: Crm, context: Meanwhile) -> None:
    crm.companies(CUSTOMER)
    monitor = crm.monitor("Customers", CUSTOMERS)
    lock = text("SELECT pg_advisory_xact_lock(:work, :number)")
    with crm.engine.begin() as other, ThreadPoolExecutor(1) as pool:
        other.execute(lock, {"work": Work.MONITOR, "number": monitor})
        waiting = pool.submit(regenerate, context)
        eventually(lambda: context.safe_points > 3)
        context.cancel_after = 0
        with pytest.raises(CancelledByRequest):
            waiting.result(timeout=10)
    assert crm.signalled(monitor) == []
