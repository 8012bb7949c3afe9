"""Preferences of the CRM: the most personal one that is there counts."""

from __future__ import annotations

from sqlalchemy import Connection, and_, func, or_, select

from batchtask import crm7

_SYSTEM, _DATABASE, _GROUP, _USER = 1, 2, 3, 4


def load_preference(
    connection: Connection, section: str, key: str, *, associate_id: int = 0, group_id: int = 0
) -> str | None:
    """Read a preference as it counts for a user; without one, as for everybody. None if nobody has set it."""
    table = crm7.userpreference.c
    levels = or_(
        table.deflevel.in_((_SYSTEM, _DATABASE)),
        and_(table.deflevel == _GROUP, table.owner_id == group_id, table.owner_id != 0),
        and_(table.deflevel == _USER, table.owner_id == associate_id, table.owner_id != 0),
    )
    named = and_(func.lower(table.prefsection) == section.lower(), func.lower(table.prefkey) == key.lower())
    found = (
        select(table.prefvalue).where(levels, named).order_by(table.deflevel.desc(), table.userpreference_id.desc())
    )
    return connection.execute(found.limit(1)).scalar_one_or_none()
