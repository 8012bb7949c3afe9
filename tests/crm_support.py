"""A few CRM records for tests of criteria, rights and reports, written with as little ceremony as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, create_engine

from batchtask import crm7
from batchtask.demo.sample_rows import SampleRows
from worker.tasks.crm.operators import Asking

NOW = datetime(2025, 5, 14, 12, 0)  # a Wednesday
Add = Callable[..., int]


@contextmanager
def crm_rows(database_url: str) -> Iterator[Add]:
    """Collect rows and write them at the end: `add(crm7.contact, name="A")` returns the new row's id."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        rows = SampleRows(connection)

        def add(table: Table, **values: Any) -> int:
            row = rows.add(table, **values)
            return int(row[next(iter(table.primary_key.columns)).name])

        yield add
        rows.write(connection)
    engine.dispose()


@contextmanager
def connected(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def add_user(add: Add, name: str, group: int = 1, **values: Any) -> int:
    """Add an associate with a person of the same name."""
    person = add(crm7.person, firstname=name, lastname="User")
    return add(crm7.associate, name=name, person_id=person, group_idx=group, type=0, **values)


def asking(associate_id: int = 0, group_id: int = 0) -> Asking:
    return Asking(associate_id=associate_id, group_id=group_id, now=NOW)
