from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from batchtask.crm7.administrators import is_administrator
from batchtask.demo.sample_crm import SampleCrm, load_sample_crm


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def crm(connection: Connection) -> SampleCrm:
    return load_sample_crm(connection)


def test_whoever_has_a_role_with_the_functional_right_is_an_administrator(
    connection: Connection, crm: SampleCrm
) -> None:
    assert is_administrator(connection, crm.associate_id)
    assert not is_administrator(connection, crm.associate_id + 1)
    assert not is_administrator(connection, 4711)


def test_the_system_itself_is_one(connection: Connection) -> None:
    assert is_administrator(connection, 0)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE crm7.associate SET deleted = 1",
        "UPDATE crm7.role SET deleted = 1",
        "UPDATE crm7.functionright SET name = 'admin-users'",
        "DELETE FROM crm7.functionrightrolelink",
    ],
)
def test_a_user_who_has_left_or_whose_right_is_gone_is_none(
    connection: Connection, crm: SampleCrm, change: str
) -> None:
    connection.execute(text(change))
    assert not is_administrator(connection, crm.associate_id)


def test_a_system_user_needs_no_right(connection: Connection, crm: SampleCrm) -> None:
    connection.execute(text("DELETE FROM crm7.functionrightrolelink"))
    connection.execute(text("UPDATE crm7.role SET roletype = 3"))
    assert is_administrator(connection, crm.associate_id)
