"""Users, companies, persons, and the ways to reach them."""

from __future__ import annotations

from sqlalchemy import Index, Table, func

from batchtask.crm7.columns import (
    Columns,
    audit,
    decimal,
    flag,
    indexes,
    key,
    local_time,
    metadata,
    number,
    reference,
    text,
    unique,
    utc_time,
)


def _integration() -> Columns:
    """Make the columns that link a record to another system."""
    return [
        *reference("dbi_agent_id", null=True),
        *text(255, "dbi_key", null=True),
        *local_time("dbi_last_syncronized", "dbi_last_modified", null=True),
        *number("activeerplinks", null=True),
    ]


associate = Table(
    "associate",
    metadata,
    key("associate_id"),
    *text(239, "name"),
    *number("rank", "deleted", "type", null=True),
    *text(254, "tooltip", "username", null=True),
    *reference("group_idx", "person_id"),
    *local_time("lastlogin", "lastlogout", "checklistlimit"),
    *text(127, "userflags", null=True),
    *flag("islocation", null=True),
    *reference("tzlocationid", "ejuserid", null=True),
    *text(239, "locationaddress", null=True),
    *text(254, "encryptedcheck"),
    *flag("waiting_for_approval"),
    *audit(),
    unique("name"),
    *indexes("person_id", "type"),
)

contact = Table(
    "contact",
    metadata,
    key("contact_id"),
    *text(219, "name"),
    *text(219, "department", "kananame", null=True),
    *text(49, "number1", "number2", "orgnr", null=True),
    *reference("country_id", "business_idx", "category_idx"),
    *reference("associate_id", "text_id", "mother_id", "group_id", "tzlocationid", null=True),
    *reference("userdef_id", "userdef2_id", null=True),
    *flag("xstop", "nomailing", null=True),
    *text(9, "soundex", null=True),
    *number("source", "activeinterests", "deleted", null=True),
    *reference("ticketpriorityid", "supportlanguageid", "supportassociateid", "supportpersonid", null=True),
    *_integration(),
    *utc_time("deleteddate", null=True),
    *audit(),
    *indexes("name", "kananame", "department", ("name", "department"), "number1", "number2", "orgnr"),
    *indexes("business_idx", "category_idx", "mother_id", "userdef_id", "userdef2_id", "soundex", "source"),
    *indexes("dbi_agent_id", "dbi_key", "dbi_last_syncronized", "dbi_last_modified"),
    *indexes("deleteddate", "supportpersonid"),
)

person = Table(
    "person",
    metadata,
    key("person_id"),
    *reference("contact_id"),
    *number("rank"),
    *text(99, "firstname"),
    *text(99, "lastname", "middlename", null=True),
    *text(99, "kanalname", "kanafname", "post1", "post2", "post3", null=True),
    *text(239, "mrmrs", "title", "salutation", null=True),
    *text(63, "initials", null=True),
    *text(254, "department", null=True),
    *text(49, "person_number", null=True),
    *number("year_of_birth", "month_of_birth", "day_of_birth", "gender", null=True),
    *number("usepersonaddress", "retired", "phone_present", "source", "activeinterests", null=True),
    *number("sentinfo", "showcontacttickets", null=True),
    *flag("nomailing", "blockemarketing", null=True),
    *reference("country_id", "business_idx", "category_idx"),
    *reference("position_idx", "text_id", "userdef_id", "userdef2_id", null=True),
    *reference("associate_id", "group_id", "tzlocationid", null=True),
    *reference("ticketpriorityid", "supportlanguageid", "supportassociateid", null=True),
    *_integration(),
    *utc_time("deleteddate", null=True),
    *audit(),
    *indexes("contact_id", ("contact_id", "rank"), "lastname", "firstname", "middlename"),
    *indexes("kanalname", "kanafname", "person_number", "userdef_id", "userdef2_id", "source"),
    *indexes("business_idx", "category_idx", "deleteddate"),
    *indexes("dbi_agent_id", "dbi_key", "dbi_last_syncronized", "dbi_last_modified"),
)

address = Table(
    "address",
    metadata,
    key("address_id"),
    *number("owner_id", "atype_idx"),
    *text(11, "zipcode"),
    *text(79, "address1", "address2", "address3", "city", null=True),
    *text(29, "county", null=True),
    *text(5, "state", null=True),
    *local_time("validfrom", "validto", null=True),
    *decimal("wgs84latitude", "wgs84longitude", null=True),
    *audit(),
    unique("owner_id", "atype_idx"),
    *indexes("zipcode", "state"),
)

phone = Table(
    "phone",
    metadata,
    key("phone_id"),
    *number("owner_id", "ptype_idx"),
    *text(239, "phone"),
    *number("rank", null=True),
    *text(99, "description", null=True),
    *local_time("validfrom", "validto", null=True),
    *text(239, "searchphonenumber", null=True),
    *audit(),
    *indexes("rank", ("owner_id", "ptype_idx"), "searchphonenumber"),
)

email = Table(
    "email",
    metadata,
    key("email_id"),
    *reference("contact_id", "person_id", "project_id", "reserved_id1", "reserved_id2", null=True),
    *text(11, "protocol", null=True),
    *number("type", "rank"),
    *text(254, "description"),
    *text(239, "email_address"),
    *number("bouncecount", "lastbouncecode", null=True),
    *local_time("lastbounce", "lastsent", null=True),
    *text(4000, "lastbouncereason", null=True),
    *reference("dbi_agent_id", "appointment_id", null=True),
    *audit(),
    *indexes("contact_id", "person_id", "project_id", "protocol", "email_address", "rank"),
    *indexes("dbi_agent_id", "appointment_id"),
)
Index("ix_email_email_address_lower", func.lower(email.c.email_address))

url = Table(
    "url",
    metadata,
    key("url_id"),
    *reference("contact_id", "person_id", "project_id", "reserved_id1", "reserved_id2", null=True),
    *number("type", "rank"),
    *text(254, "description"),
    *text(1023, "url_address"),
    *audit(),
    *indexes("contact_id", "person_id", "project_id", "reserved_id1", "reserved_id2", "url_address", "rank"),
)
