"""Login names of the CRM's users, by their ids. Synchronous."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine, select

from batchtask.crm7.people import associate
from batchtask.database import database_errors


def login_names(engine: Engine, associate_ids: Collection[int]) -> dict[int, str]:
    """Return the names there are; the system (0) and those who were removed have none.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    wanted = [associate_id for associate_id in associate_ids if associate_id]
    if not wanted:
        return {}
    query = select(associate.c.associate_id, associate.c.name).where(associate.c.associate_id.in_(wanted))
    with database_errors(), engine.connect() as connection:
        return {row.associate_id: row.name for row in connection.execute(query)}
