"""Who may see and do what: roles, their data rights, and the records that are not for everybody."""

from __future__ import annotations

from sqlalchemy import Index, Table

from batchtask.crm7.columns import (
    audit,
    big_number,
    flag,
    indexes,
    key,
    local_time,
    metadata,
    number,
    reference,
    text,
)

role = Table(
    "role",
    metadata,
    key("role_id"),
    *text(239, "name", null=True),
    *number("rank", "deleted", "roletype"),
    *text(254, "tooltip", null=True),
    *text(254, "encryptedcheck"),
    *flag("use_categories", null=True),
    *audit(),
)

userrolelink = Table(
    "userrolelink",
    metadata,
    key("userrolelink_id"),
    *reference("associate_id", "role_id"),
    *big_number("linktype"),
    *text(254, "encryptedcheck"),
    *audit(),
)

#: `crud` holds letters, R for reading; `relationtoowner`: 0 owner, 1 primary group, 2 other, 3 other group.
dataright = Table(
    "dataright",
    metadata,
    key("dataright_id"),
    *reference("roleid", "tableid", "fieldid"),
    *number("relationtoowner"),
    *text(39, "crud"),
    *text(254, "encryptedcheck"),
    *audit(),
    *indexes("roleid"),
    Index(None, "roleid", "tableid", "fieldid", "relationtoowner", unique=True),
)

visiblefor = Table(
    "visiblefor",
    metadata,
    key("visiblefor_id"),
    *reference("tableid", "recordid", "forall", "forgroupid", "forassocid"),
    *text(254, "encryptedcheck"),
    *reference("appointmentid", "saleid", "salehistid", "selectionid", null=True),
    *audit(),
    *indexes("appointmentid", "saleid", "salehistid", "selectionid", ("recordid", "tableid")),
    *indexes(("tableid", "recordid", "forall", "forgroupid", "forassocid")),
)

#: What a role allows beside data; `name` is the CRM's internal one, such as `admin-all`.
functionright = Table(
    "functionright",
    metadata,
    key("functionright_id"),
    *text(254, "name"),
    *number("righttype"),
    *flag("isbuiltin"),
    *text(254, "encryptedcheck"),
    *text(239, "requiredmodule", null=True),
    *audit(),
)

functionrightrolelink = Table(
    "functionrightrolelink",
    metadata,
    key("functionrightrolelink_id"),
    *reference("roleid", "functionrightid"),
    *text(254, "encryptedcheck"),
    *audit(),
    *indexes("roleid", "functionrightid", ("roleid", "functionrightid")),
)

#: A user's other groups; the primary one is in `associate`.
usergrouplink = Table(
    "usergrouplink",
    metadata,
    key("usergrouplink_id"),
    *reference("assoc_id", "usergroup_id"),
    *text(254, "remark", null=True),
    *local_time("validfrom", "validto", null=True),
    *audit(),
    *text(254, "encryptedcheck", null=True),
    *indexes("assoc_id", "usergroup_id"),
)
