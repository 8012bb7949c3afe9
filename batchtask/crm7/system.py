"""What concerns the whole CRM: preferences, translated names, and events that say that something big is going on."""

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

#: Names in several languages; `typeid` says of what (16: a status monitor), `resourceid` is that row's id. A language
#: is a Windows LCID; 0 serves all that have no row of their own.
localetext = Table(
    "localetext",
    metadata,
    key("localetext_id"),
    *reference("languageid"),
    *number("typeid"),
    *reference("resourceid"),
    *text(254, "text", null=True),
    *audit(),
    *number("isbuiltin", null=True),
    *indexes("resourceid"),
    Index(None, "languageid", "typeid", "resourceid", unique=True),
)
