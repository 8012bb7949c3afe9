"""Who may maintain the CRM itself: whoever has a role with the functional right of a general administrator."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from batchtask.crm7.people import associate
from batchtask.crm7.rights import functionright, functionrightrolelink, role, userrolelink

GENERAL_ADMINISTRATOR = "admin-all"
#: Of `role.roletype`: users of the system itself, for whom no right is asked.
_SYSTEM = 3


def is_administrator(connection: Connection, associate_id: int) -> bool:
    """Tell whether a user may change what concerns everybody. Associate 0 is the system itself, and may."""
    if not associate_id:
        return True
    rights = (
        select(functionrightrolelink.c.roleid)
        .join(functionright, functionright.c.functionright_id == functionrightrolelink.c.functionrightid)
        .where(functionright.c.name == GENERAL_ADMINISTRATOR)
    )
    roles = (
        select(role.c.role_id)
        .join(userrolelink, userrolelink.c.role_id == role.c.role_id)
        .join(associate, associate.c.associate_id == userrolelink.c.associate_id)
        .where(associate.c.associate_id == associate_id, func.coalesce(associate.c.deleted, 0) == 0)
        .where(role.c.deleted == 0, (role.c.roletype == _SYSTEM) | role.c.role_id.in_(rights))
    )
    return connection.execute(roles).first() is not None
