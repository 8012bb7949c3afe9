"""Lists the CRM's records point into: countries, address layouts, categories, kinds of appointment, of sale, ..."""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import (
    Columns,
    audit,
    big_number,
    flag,
    indexes,
    key,
    list_item,
    metadata,
    number,
    reference,
    text,
    unique,
)

country = Table(
    "country",
    metadata,
    key("country_id"),
    *list_item(),
    *text(39, "english_name", null=True),
    *text(5, "zip_prefix", null=True),
    *number("addresslayout", "addresslayoutdomestic", "addresslayoutforeign"),
    *big_number("flagres_id", "defaultlcid", "isonumber", null=True),
    *reference("currency_id", "tzlocationid", null=True),
    *text(254, "orgnrtext", "customphonedesc", null=True),
    *text(9, "domainname", null=True),
    *text(31, "dialinprefix", "dialoutprefix", "interareaprefix", null=True),
    *flag("phonepartofna", "isbuiltin", null=True),
    *text(3, "abbrev3", null=True),
    *text(2, "abbrev2", null=True),
    unique("name"),
    *indexes("english_name"),
)


def _field_layout(field: str) -> Columns:
    """Say where one address field stands on the screen; labels use `labellayout` alone."""
    return [
        *number(f"{field}_line", f"{field}_subpos", f"{field}_leadtext", f"{field}_zip"),
        *number(f"{field}_length", f"{field}_flags"),
        *text(9, f"{field}_mask"),
    ]


addressformat = Table(
    "addressformat",
    metadata,
    key("addressformat_id"),
    *text(239, "name"),
    *number("layout_id", "atype_idx"),
    *_field_layout("address1"),
    *_field_layout("address2"),
    *_field_layout("address3"),
    *_field_layout("city"),
    *_field_layout("county"),
    *_field_layout("state"),
    *_field_layout("zip"),
    *big_number("extraflags"),
    *text(254, "labellayout", "labellayout2", null=True),
    *flag("isbuiltin", null=True),
    *audit(),
)

category = Table(
    "category",
    metadata,
    key("category_id"),
    *list_item(),
    *reference("categoryfamily_id", null=True),
    *number("category_group", null=True),
    *flag("enable_lead_status", null=True),
    unique("name"),
)

business = Table("business", metadata, key("business_id"), *list_item(), unique("name"))

perspos = Table("perspos", metadata, key("perspos_id"), *list_item(), unique("name"))

usergroup = Table(
    "usergroup", metadata, key("usergroup_id"), *list_item(), *number("type", null=True), unique("name")
)

task = Table(
    "task",
    metadata,
    key("task_id"),
    *list_item(),
    *number("record_type"),
    *number("direction", "color_index", "defaultalldayevent", "defaultfreebusy", "defaultpublishtype", null=True),
    *reference("intentid", null=True),
    *number("default_videomeeting_status"),
    unique("name"),
)

projtype = Table("projtype", metadata, key("projtype_id"), *list_item(), unique("name"))

projstatus = Table("projstatus", metadata, key("projstatus_id"), *list_item(), unique("name"))

saletype = Table("saletype", metadata, key("saletype_id"), *list_item(), unique("name"))

source = Table("source", metadata, key("source_id"), *list_item(), unique("name"))
