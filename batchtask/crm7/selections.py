"""Selections of companies and persons, and the templates of documents made for them."""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import (
    audit,
    big_number,
    flag,
    indexes,
    key,
    list_item,
    local_time,
    metadata,
    number,
    reference,
    text,
    unique,
)

selection = Table(
    "selection",
    metadata,
    key("selection_id"),
    *reference("associate_id", "group_idx"),
    *text(219, "name"),
    *reference("text_id", "postittext_id", "searchcat_id", null=True),
    *number("visibility", "seltype", "companyunique", "source", "includeperson", null=True),
    *text(9, "soundex", null=True),
    *big_number("membercount", null=True),
    *number("targettablenumber"),
    *flag("done", null=True),
    *number("combinationtype", "systemtype", null=True),
    *reference("leftselectionid", "rightselectionid", "dashboard_tile_definition_id", null=True),
    *text(254, "chartkey", null=True),
    *local_time("lastloaded", "lastmembershipchange", null=True),
    *reference("lastloadedby", "lastmembershipchangeby", null=True),
    *audit(),
    *indexes("group_idx", "name", "soundex", "source", "done", "associate_id"),
)

selectionmember = Table(
    "selectionmember",
    metadata,
    key("selectionmember_id"),
    *reference("selection_id", "contact_id"),
    *reference("person_id", "targetrecordid", null=True),
    *number("targettablenumber", null=True),
    *indexes("selection_id", "contact_id", "person_id", ("contact_id", "person_id"), ("selection_id", "contact_id")),
)

doctmpl = Table(
    "doctmpl",
    metadata,
    key("doctmpl_id"),
    *list_item(),
    *text(239, "filename"),
    *number("autoevent_id", "direction", "saveindb", "defaultpublishtype", null=True),
    *number("record_type"),
    *text(239, "default_oref", "regkey_open", "regkey_edit", "regkey_print", "accelerator", null=True),
    *reference("intentid", null=True),
    *text(254, "mimetype", null=True),
    *number("loadtemplatefromplugin", "quotedoctype", "privacydoctype", "invitationdoctype", null=True),
    *text(4000, "emailsubject", null=True),
    *flag("includesignature", "showcurrents", null=True),
    *number("senderemailmode", null=True),
    *text(256, "senderemailaddress", null=True),
    unique("name"),
)
