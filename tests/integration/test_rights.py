from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime

import pytest
from sqlalchemy import Connection, select, text

from batchtask import crm7
from batchtask.definitions import TaskFailure
from tests.crm_support import Add, add_user, asking, connected, crm_rows
from worker.tasks.crm.catalogue import Catalogue, find_subject
from worker.tasks.crm.criteria import Criterion, condition
from worker.tasks.crm.preferences import load_preference
from worker.tasks.crm.rights import load_reader

ANN, BOB, CID, DAN, EVE, LEFT, EXTERNAL, ROBOT = range(1, 9)
OWN, GROUP, ELSE, OTHER_GROUP = 0, 1, 2, 3


@pytest.fixture(scope="module")
def database_url(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with databases() as url:
        with crm_rows(url) as add:
            _add_users(add)
            _add_roles(add)
            _add_records(add)
        yield url


def _add_users(add: Add) -> None:
    """ANN and BOB are of group 1, CID of 2, DAN of 3 and also of 2; EVE has no role."""
    for name, group in (("ANN", 1), ("BOB", 1), ("CID", 2), ("DAN", 3), ("EVE", 1)):
        add_user(add, name, group)
    add_user(add, "LEFT", 1, deleted=1)
    add(crm7.associate, name="EXTERNAL", type=4)
    add(crm7.associate, name="ROBOT", type=13)
    add(crm7.usergrouplink, assoc_id=DAN, usergroup_id=2)
    add(crm7.usergrouplink, assoc_id=BOB, usergroup_id=2, validto=datetime(2001, 1, 1))


def _add_roles(add: Add) -> None:
    for name, relations in {"own": [OWN], "group": [OWN, GROUP], "groups": [OWN, GROUP, OTHER_GROUP]}.items():
        role = add(crm7.role, name=name)
        for table in (5, 6, 13, 9, 11):
            for relation in (OWN, GROUP, ELSE, OTHER_GROUP):
                crud = "CRUD" if relation in relations or table == 5 else "CU"
                add(crm7.dataright, roleid=role, tableid=table, relationtoowner=relation, crud=crud)
    for associate, role in ((ANN, 1), (BOB, 2), (CID, 2), (DAN, 3)):
        add(crm7.userrolelink, associate_id=associate, role_id=role)


def _add_records(add: Add) -> None:
    company = add(crm7.contact, name="Everybody's", associate_id=CID)
    for name, owner, group in (("ann", ANN, 1), ("bob", BOB, 1), ("cid", CID, 2), ("dan", DAN, 0)):
        sale = add(crm7.sale, contact_id=company, heading=name, associate_id=owner, group_idx=group, amount=100)
        add(crm7.visiblefor, tableid=13, recordid=sale, forall=1)
    hidden = {
        "only me": {},
        "for ann": {"forassocid": ANN},
        "for group 1": {"forgroupid": 1},
        "for 2": {"forgroupid": 2},
    }
    for name, visible in hidden.items():
        sale = add(crm7.sale, contact_id=company, heading=name, associate_id=BOB, group_idx=1, amount=1000)
        add(crm7.visiblefor, tableid=13, recordid=sale, **visible)
    add(crm7.sale, contact_id=company, heading="nobody said", associate_id=BOB, group_idx=1)
    # Another table's row of the same number must not open the sale.
    add(crm7.visiblefor, tableid=9, recordid=9, forall=1)
    add(crm7.person, contact_id=company, firstname="of cid's company")
    add(crm7.person, contact_id=company, firstname="of ann", associate_id=ANN)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connected(database_url) as connection:
        yield connection


def sales_of(connection: Connection, user: int) -> set[str]:
    reader = load_reader(connection, user)
    return set(connection.scalars(select(crm7.sale.c.heading).where(reader.sees("sale", crm7.sale))))


ALL = {"ann", "bob", "cid", "dan", "only me", "for ann", "for group 1", "for 2", "nobody said"}
BOBS = {"bob", "only me", "for ann", "for group 1", "for 2", "nobody said"}

CASES = [
    (ANN, {"ann"}),  # what others show her does not help: her role says her own
    (BOB, {"ann", *BOBS}),
    (CID, {"cid"}),
    (DAN, {"cid", "dan"}),
    (ROBOT, ALL),
    (0, ALL),
]


@pytest.mark.parametrize(("user", "expected"), CASES)
def test_a_user_reads_the_sales_that_role_and_visibility_both_allow(
    connection: Connection, user: int, expected: set[str]
) -> None:
    assert sales_of(connection, user) == expected


VISIBILITY = [(ANN, {"for ann", "for group 1"}), (CID, {"for 2"}), (DAN, {"for 2"}), (EVE, {"for group 1"})]


@pytest.mark.parametrize(("user", "expected"), VISIBILITY)
def test_without_any_data_rights_visibility_alone_decides(
    connection: Connection, user: int, expected: set[str]
) -> None:
    connection.execute(text("DELETE FROM crm7.dataright"))
    own = {"dan"} if user == DAN else set()
    assert sales_of(connection, user) == {"ann", "bob", "cid", "dan", *expected, *own}
    connection.rollback()


def test_a_person_belongs_to_the_user_of_its_company_unless_it_names_one(connection: Connection) -> None:
    reader = load_reader(connection, ANN)
    names = select(crm7.person.c.firstname).where(reader.sees("person", crm7.person), crm7.person.c.contact_id != 0)
    assert set(connection.scalars(names)) == {"of ann"}


def test_a_criterion_does_not_find_by_what_the_user_may_not_read(connection: Connection) -> None:
    dear = Criterion(name="sale/amount", operator="is", values=("1000",))
    found = {}
    for user in (ANN, BOB):
        catalogue = Catalogue(sees=load_reader(connection, user).sees)
        where = condition(catalogue, find_subject("contact"), dear, asking(user))
        found[user] = connection.scalars(select(crm7.contact.c.name).where(where)).all()
    assert found == {ANN: [], BOB: ["Everybody's"]}


def test_counts_and_sums_leave_out_what_the_user_may_not_read(connection: Connection) -> None:
    counts = {}
    for user in (ANN, BOB, 0):
        catalogue = Catalogue(sees=load_reader(connection, user).sees)
        field = catalogue.field(find_subject("contact"), "saleCount", crm7.contact)
        counts[user] = connection.scalar(select(field.value))
    assert counts == {ANN: 1, BOB: 7, 0: 9}


REFUSED = [
    (EVE, "The user EVE has no role"),
    (LEFT, "The user LEFT has left"),
    (EXTERNAL, "The user EXTERNAL is not an employee"),
    (99, "There is no user 99"),
]


@pytest.mark.parametrize(("user", "sentence"), REFUSED)
def test_who_may_read_nothing_is_told_why(connection: Connection, user: int, sentence: str) -> None:
    with pytest.raises(TaskFailure, match=sentence):
        load_reader(connection, user)


def test_the_most_personal_preference_counts(database_url: str) -> None:
    with crm_rows(database_url) as add:
        for level, owner, value in ((2, 0, "all"), (3, 1, "group 1"), (4, ANN, "ann"), (3, 0, "no group")):
            add(crm7.userpreference, deflevel=level, owner_id=owner, prefsection="S", prefkey="K", prefvalue=value)
    with connected(database_url) as connection:
        found = [
            load_preference(connection, "s", "k", associate_id=user, group_id=group)
            for user, group in ((ANN, 1), (BOB, 1), (CID, 2), (0, 0))
        ]
        assert load_preference(connection, "S", "other") is None
    assert found == ["ann", "group 1", "all", "all"]
