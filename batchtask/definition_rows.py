"""Definitions as rows of `crm7.batchtaskdefinition`: one for each name and version of its distribution.

A worker writes those of the tasks it can run when it starts; the projections write a bare one for a name that no
worker has announced yet, so that a row of a task can always point at one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.crm7 import allocate_ids
from batchtask.database import database_errors
from batchtask.definitions import TaskDefinition
from batchtask.tables import batchtaskdefinition as table


def save_definitions(engine: Engine, definitions: Iterable[TaskDefinition]) -> None:
    """Write the rows of definitions; those that are there get the present texts and limits.

    Raises:
        StoreUnavailable: Nothing was written.
    """
    with database_errors(), engine.begin() as connection:
        for definition in definitions:
            _save(connection, _values(definition))


def definition_id(connection: Connection, name: str) -> int:
    """Return the id of the newest definition of a name, made now if there is none."""
    return _newest(connection, name) or _save(connection, _values(TaskDefinition(name=name, function=_nothing)))


def _newest(connection: Connection, name: str) -> int | None:
    return connection.execute(select(func.max(table.c.batchtaskdefinition_id)).where(table.c.name == name)).scalar()


def _save(connection: Connection, values: dict[str, Any]) -> int:
    now = datetime.now(UTC)
    found = connection.execute(
        select(table.c.batchtaskdefinition_id).where(
            table.c.name == values["name"], table.c.assemblyversion == values["assemblyversion"]
        )
    ).scalar()
    audit = {"registered": now, "registered_associate_id": 0, "updated_associate_id": 0, "updatedcount": 0}
    number = found if found is not None else allocate_ids(connection, table, 1)[0]
    statement = insert(table).values(batchtaskdefinition_id=number, updated=now, **values, **audit)
    updated = {**values, "updated": now, "updatedcount": func.least(table.c.updatedcount + 1, 65_535)}
    written: int = connection.execute(
        statement.on_conflict_do_update(
            constraint="batchtaskdefinition_name_assemblyversion_key", set_=updated
        ).returning(table.c.batchtaskdefinition_id)
    ).scalar_one()
    return written


def _values(definition: TaskDefinition) -> dict[str, Any]:
    return {
        "name": definition.name[:254],
        "description": definition.description[:254],
        "ismultipass": int(definition.is_multi_pass),
        "startinterval": definition.start_interval_seconds,
        "minimumsleeptime": definition.minimum_sleep_seconds,
        "timeout": definition.timeout_seconds,
        "autorestartcount": definition.auto_restart_count,
        "assemblyversion": definition.version[:49],
    }


def _nothing() -> None:
    """Stands for code that this process does not have."""
