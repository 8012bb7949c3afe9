"""Definitions of user-defined fields, and the lists that some of them choose from. Their values: `userdefined`.

One row of `udeffield` is one generation of one field: a layout that changes gives every field of its owner a new
row. What the columns mean together is told by `batchtask.udef`.
"""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import audit, flag, indexes, key, list_item, metadata, number, reference, text, unique

#: `columnid` is table number × 256 + the column's place in that table; `udefidentity` and `progid` name the field.
udeffield = Table(
    "udeffield",
    metadata,
    key("udeffield_id"),
    *number("ownertable_id", "taborder", "fieldtype"),
    *number("listtableid", null=True),
    *reference("udlistdefinition_id", "columnid"),
    *number("textlength", null=True),
    *text(254, "fielddefault", null=True),
    *flag("indexed", null=True),
    *flag("mandatory"),
    *number("readonly", null=True),
    *text(254, "tooltip", "fieldlabel", null=True),
    *number("labelleft", "labeltop", "labelwidth", "labelheight", null=True),
    *number("fieldleft", "fieldtop", "fieldwidth", "fieldheight", null=True),
    *number("version", null=True),
    *reference("lastversionid", null=True),
    *number("page1lineno", null=True),
    *audit(),
    *reference("udefidentity", null=True),
    *flag("hidelabel", null=True),
    *number("justification", null=True),
    *text(254, "progid", "formatmask", "shortlabel", null=True),
    *indexes("ownertable_id"),
)

udlistdefinition = Table(
    "udlistdefinition",
    metadata,
    key("udlistdefinition_id"),
    *list_item(),
    *number("listtableid"),
    *text(254, "requiredlicense", null=True),
    unique("name"),
)

udlist = Table(
    "udlist", metadata, key("udlist_id"), *list_item(), *reference("udlistdefinition_id"), *indexes("name")
)
