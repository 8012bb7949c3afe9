"""What companies and persons are dealt with in: projects, sales, appointments, documents, and their long texts."""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import (
    audit,
    big_number,
    decimal,
    flag,
    indexes,
    key,
    local_time,
    long_text,
    metadata,
    number,
    reference,
    text,
)

project = Table(
    "project",
    metadata,
    key("project_id"),
    *text(219, "name", null=True),
    *text(49, "project_number", null=True),
    *reference("type_idx", "associate_id"),
    *reference("status_idx", "text_id", "postittext_id", "group_id", "tzlocationid", null=True),
    *reference("userdef_id", "userdef2_id", "nmdappointment_id", null=True),
    *text(9, "soundex", null=True),
    *number("source", "activeerplinks", null=True),
    *big_number("activelinks", null=True),
    *flag("done", null=True),
    *local_time("enddate", "nextmilestonedate", null=True),
    *audit(),
    *indexes("name", "project_number", "soundex", "source", "userdef2_id", "done"),
)

projectmember = Table(
    "projectmember",
    metadata,
    key("projectmember_id"),
    *reference("project_id", "contact_id", "person_id", "mtype_idx", "text_id", null=True),
    *number("rank", null=True),
    *audit(),
    *indexes("contact_id", "person_id", ("project_id", "rank")),
)

sale = Table(
    "sale",
    metadata,
    key("sale_id"),
    *reference("associate_id", "group_idx", "contact_id", "probability_idx", "appointment_id", "project_id"),
    *reference("person_id", "text_id", "postittext_id", "userdef_id", "userdef2_id", null=True),
    *reference("credited_id", "source_id", "reason_id", "comptr_id", "currency_id", "saletype_id", null=True),
    *reference("reasonstalled_id", "nddappointment_id", "reasonsold_id", "saletypecat_id", null=True),
    *reference("created_by_workflow_id", "stage_when_closed_id", null=True),
    *local_time("saledate"),
    *local_time("reopendate", "nextduedate", null=True),
    *decimal("amount", "earning", "earning_percent", null=True),
    *text(219, "heading", null=True),
    *text(49, "number1", null=True),
    *number("probability", "status", "done", "visibility", "source", "activeerplinks", null=True),
    *big_number("activelinks", null=True),
    *audit(),
    *indexes("contact_id", "person_id", "saledate", "project_id", "userdef_id", "userdef2_id", "heading", "status"),
    *indexes("done", "number1", "source", ("associate_id", "done", "saledate"), "created_by_workflow_id"),
    *indexes(("contact_id", "saledate", "associate_id"), ("project_id", "saledate", "associate_id")),
)

appointment = Table(
    "appointment",
    metadata,
    key("appointment_id"),
    *reference("associate_id", "group_idx", "task_idx"),
    *reference("contact_id", "person_id", "project_id", "sale_id", "document_id", "text_id", null=True),
    *reference("priority_idx", "mother_id", "invitedpersonid", "userdef_id", "userdef2_id", null=True),
    *reference("recurrenceruleid", "emailid", "assignedby", "preferredtzlocation", null=True),
    *reference("suggestedappointmentid", "suggesteddocumentid", "agenda_text_id", null=True),
    *reference("internal_notes_text_id", "created_by_workflow_id", "mother_associate_id", null=True),
    *local_time("done"),
    *local_time("do_by", "activedate", "enddate", "original_start_date", null=True),
    *number("leadtime", "lagtime", "type", "status", "private", "alarm", "color_index", "source", null=True),
    *number("alldayevent", "freebusy", "rejectcounter", "modified_appointment_fields", null=True),
    *number("cautionwarning", null=True),
    *number("owned_externally"),
    *big_number("activelinks", null=True),
    *flag("hasalarm", "ismilestone", "sendemail", null=True),
    *text(254, "location", "rejectreason", null=True),
    *text(2000, "join_videomeet_url", null=True),
    *text(100, "centralservice_videomeet_id", null=True),
    *audit(),
    *indexes("contact_id", "person_id", "group_idx", "done", "do_by", "text_id", "project_id", "mother_id"),
    *indexes("document_id", "activedate", "source", "userdef_id", "userdef2_id", "sale_id"),
    *indexes(("project_id", "type"), ("contact_id", "type"), ("type", "activedate")),
    *indexes(("associate_id", "type", "status", "activedate")),
)

document = Table(
    "document",
    metadata,
    key("document_id"),
    *reference("application_id"),
    *text(511, "name"),
    *text(219, "header", null=True),
    *text(99, "our_ref", "your_ref", "searchname", "attention", null=True),
    *reference("text_id", "appointment_id", "userdef_id", "userdef2_id", null=True),
    *number("archiveprovider", "snum", null=True),
    *text(511, "extref", null=True),
    *text(1023, "exturl", null=True),
    *audit(),
    *indexes("header", "our_ref", "searchname", "archiveprovider", "extref", "userdef_id", "userdef2_id"),
)

#: Long texts of all the others; named `texts` here, because `text` makes columns.
texts = Table(
    "text",
    metadata,
    key("text_id"),
    *number("type", "owner_id", "lcid", "seqno", null=True),
    *text(4000, "text", null=True),
    *long_text("html_text", null=True),
    *audit(),
    *indexes(("owner_id", "type")),
)
