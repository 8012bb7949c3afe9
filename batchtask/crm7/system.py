"""What concerns the whole CRM: preferences, and the events that say that something big is going on."""

from __future__ import annotations

from sqlalchemy import Index, Table

from batchtask.crm7.columns import audit, indexes, key, local_time, metadata, number, reference, text

#: `deflevel`: 1 system, 2 database, 3 group, 4 individual; the highest that is there counts.
userpreference = Table(
    "userpreference",
    metadata,
    key("userpreference_id"),
    *number("deflevel", "maxlevel"),
    *reference("owner_id"),
    *text(199, "prefsection", "prefkey"),
    *text(2046, "prefvalue", null=True),
    *audit(),
    *indexes("deflevel", "owner_id", "prefsection", "prefkey", ("prefsection", "prefkey", "deflevel", "owner_id")),
)

#: Unique by key, scope (1 system, 2 database, 3 group, 4 user) and owner, and so a lock.
systemevent = Table(
    "systemevent",
    metadata,
    key("systemevent_id"),
    *number("scope", "owner"),
    *text(254, "eventkey", "eventmess", null=True),
    *reference("extrainfo", null=True),
    *local_time("eta", null=True),
    *audit(),
    Index(None, "eventkey", "scope", "owner", unique=True),
)
