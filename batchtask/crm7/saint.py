"""Status monitors and counters: what is watched, what is true of which record, and the lists counters split by."""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import (
    audit,
    big_number,
    decimal,
    flag,
    indexes,
    key,
    list_item,
    local_time,
    metadata,
    number,
    reference,
    unique,
)

_OWNERS = ("contact_id", "person_id", "project_id", "extra1_id", "extra2_id")

#: `needsupdate` here: the definition has changed. A start later than `lastgenerated`: it runs, or was broken off.
statusdef = Table(
    "statusdef",
    metadata,
    key("statusdef_id"),
    *flag("isvisual", "needsupdate", null=True),
    *number("rank", null=True),
    *flag("deleted", null=True),
    *number("ownertable", null=True),
    *flag("dirtyonchange", null=True),
    *reference("defaulttask", null=True),
    *local_time("lastgenerated", null=True),
    *big_number("nummatches", "numneedupdate", null=True),
    *audit(),
    *local_time("generationstart", null=True),
)

#: `needsupdate` here: the record has changed since, and the CRM has switched the status off.
statusvalue = Table(
    "statusvalue",
    metadata,
    key("statusvalue_id"),
    *reference("statusdef_id", *_OWNERS),
    *flag("issignalled", "needsupdate"),
    *audit(),
    *indexes("statusdef_id", *_OWNERS, "issignalled"),
    *indexes(*[(owner, "issignalled", "statusdef_id") for owner in _OWNERS]),
)

#: Of activities (`record_type` is not 0) or of sales (`sale_status` is not 0). The extra counts, in order: registered
#: and not completed in the second period, then both in the third.
countervalue = Table(
    "countervalue",
    metadata,
    key("countervalue_id"),
    *reference(*_OWNERS),
    *number("record_type", "direction"),
    *reference("intent_id"),
    *number("sale_status"),
    *reference("amountclassid"),
    *big_number("totalreg", "totalreginperiod", "notcompleted", "notcompletedinperiod"),
    *local_time("lastregistered", "lastcompleted", "lastdoby", null=True),
    *big_number("extra1_count", "extra2_count", "extra3_count", "extra4_count", null=True),
    *audit(),
    *indexes(("contact_id", "record_type"), ("contact_id", "sale_status")),
    *indexes(("project_id", "record_type"), ("project_id", "sale_status")),
    *indexes(("record_type", "direction", "intent_id"), ("sale_status", "amountclassid")),
)

#: One row per kind of owner; periods are in days.
saintconfiguration = Table(
    "saintconfiguration",
    metadata,
    key("saintconfiguration_id"),
    *number("ownertable"),
    *flag("enabled"),
    *number("period1", "period2", "period3"),
    *local_time("generationstart", "generationend", null=True),
    *number("rowsgenerated", null=True),
    *audit(),
)

intent = Table("intent", metadata, key("intent_id"), *list_item(), unique("name"))

amountclass = Table(
    "amountclass",
    metadata,
    key("amountclass_id"),
    *list_item(),
    *decimal("amountfrom", "amountto", null=True),
    *reference("currencyid", null=True),
    unique("name"),
    *indexes("amountfrom", "amountto"),
)
