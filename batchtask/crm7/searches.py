"""Stored criteria: one set belongs to a selection, a status monitor, a report; it has groups, these have criteria."""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import audit, decimal, indexes, key, metadata, number, reference, text

searchcriteria = Table(
    "searchcriteria",
    metadata,
    key("searchcriteria_id"),
    *text(254, "name"),
    *reference("textid", null=True),
    *number("ownertype", "ownertable", "ownerid", null=True),
    *text(254, "ownername", "ownerguiname", "displayname", null=True),
    *audit(),
    *indexes(("ownerid", "ownername", "ownerguiname"), ("ownerid", "ownertable", "ownertype", "ownerguiname")),
)

searchcriteriagroup = Table(
    "searchcriteriagroup",
    metadata,
    key("searchcriteriagroup_id"),
    *reference("searchcriteria_id"),
    *text(254, "name"),
    *reference("textid", null=True),
    *number("direction", "rank", "active"),
    *audit(),
    *indexes(("searchcriteria_id", "rank")),
)

searchcriterion = Table(
    "searchcriterion",
    metadata,
    key("searchcriterion_id"),
    *reference("searchcriteriagroup_id"),
    *number("criterionid", "operatorid", "linktype", "active", "rank"),
    *number("extraid", "udefidentity", "uniquekey", "parenthesis", null=True),
    *text(254, "columnname", "operatorname", null=True),
    *audit(),
    *indexes("searchcriteriagroup_id", "columnname"),
)

searchcriterionvalue = Table(
    "searchcriterionvalue",
    metadata,
    key("searchcriterionvalue_id"),
    *reference("searchcriterion_id"),
    *number("longvalue", "listtableid", "listitemid", null=True),
    *decimal("doublevalue", null=True),
    *text(254, "stringvalue", null=True),
    *text(128, "valuetype", null=True),
    *number("rank"),
    *audit(),
    *indexes("searchcriterion_id"),  # the CRM has none; a set of criteria is read by it
)
