"""A database for every test: private services, or those that `BATCHTASK_AMQP_URL` and `BATCHTASK_DATABASE_URL` name.

Sales are removed before each test: name no database that somebody needs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select
from world import UNTIL, AddSale, defaults_of

from batchtask import crm7
from batchtask.database import make_engine
from batchtask.local import Services, provide
from batchtask.migrations import upgrade


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with tempfile.TemporaryDirectory(prefix="batchtask-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        with provide(Path(directory), os.environ, announce=print, durable=False) as found:
            upgrade(found.database_url)
            yield found


@pytest.fixture
def engine(services: Services) -> Iterator[Engine]:
    engine = make_engine(services.database_url)
    with engine.begin() as connection:
        for table in (crm7.sale, crm7.appointment):
            connection.execute(delete(table))
    yield engine
    engine.dispose()


@pytest.fixture
def add_sale(engine: Engine) -> AddSale:
    """Add a sale, open and ten days late unless told otherwise, and return its number."""

    def add_sale(**columns: Any) -> int:
        with engine.begin() as connection:
            [number] = crm7.allocate_ids(connection, crm7.sale, 1)
            row = defaults_of(crm7.sale) | {"sale_id": number, "status": 1, "associate_id": 7, "heading": "Books"}
            row["saledate"] = datetime.combine(UNTIL, datetime.min.time()) - timedelta(days=10)
            connection.execute(insert(crm7.sale).values(row | columns))
        return number

    return add_sale


@pytest.fixture
def booked(engine: Engine) -> Callable[[], list[int]]:
    """The numbers of the sales that have a follow-up, each as often as it has one."""

    def booked() -> list[int]:
        with engine.connect() as connection:
            return list(
                connection.execute(select(crm7.appointment.c.sale_id).order_by(crm7.appointment.c.sale_id)).scalars()
            )

    return booked
