"""Mailings, their messages and recipients; what persons have consented to, and what they declined."""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import (
    Columns,
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
    unique,
    utc_time,
)


def _audit_that_may_lack() -> Columns:
    """Make the audit columns as the CRM's service part has them: all of them may be empty."""
    return [
        *utc_time("registered", null=True),
        *reference("registered_associate_id", null=True),
        *utc_time("updated", null=True),
        *reference("updated_associate_id", null=True),
        *number("updatedcount", null=True),
    ]


def _long_list_item() -> Columns:
    """Make the columns of a list whose items' texts are long."""
    return [*text(4000, "name"), *number("rank", "deleted", null=True), *text(4000, "tooltip", null=True)]


def _statistics() -> Columns:
    return [
        *number("delivered_num", "open_num", "click_num", "hardbounce_num", "softbounce_num", null=True),
        *number("totalbounce_num", "sent_num", null=True),
        *decimal("open_rate", "click_rate", "hardbounce_rate", "softbounce_rate", "totalbounce_rate", null=True),
        *flag("are_statistics_dirty"),
    ]


s_message = Table(
    "s_message",
    metadata,
    key("id"),
    *long_text("plain_message", "html_message", "sms_message", "header_field", "design", null=True),
    *text(255, "description", "subject", "access_key", null=True),
    *number("flags", "folder_id", "designtype"),
    *flag("inline_images", "register_views", null=True),
    *reference("document_message", null=True),
    *text(4000, "long_description", null=True),
    *_audit_that_may_lack(),
)

s_shipment = Table(
    "s_shipment",
    metadata,
    key("id"),
    *text(255, "description", null=True),
    *reference("message_id"),
    *local_time("start_date", "end_date", "actual_time", null=True),
    *text(255, "from_addr"),
    *text(255, "reply_addr", "envelope_from", "smtp_serv", null=True),
    *number("smtp_port", "send_rate", "status", "recipients", "actual_rate", "actual_count"),
    *number("current_sender", "ticket_owner", "ticket_category", "active_pane", null=True),
    *big_number("flags", null=True),
    *number("folder_id", "configuration", "sorting"),
    *reference("selection_id", "project_id", "generated_document_id", "shipmenttype_id", null=True),
    *_statistics(),
    *_audit_that_may_lack(),
    *indexes("message_id", ("are_statistics_dirty", "id")),
)

s_shipment_addr = Table(
    "s_shipment_addr",
    metadata,
    key("id"),
    *reference("shipment_id"),
    *text(255, "address"),
    *text(255, "name", "owner_lock", null=True),
    *number("timestamp", "type", "sender_nr", "status", "bounce_code", null=True),
    *reference("customer_id", "ticket_id"),
    *reference("contact_id", "form_submission_id", "workflow_step_id", "workflow_instance_id", null=True),
    *local_time("sending_time", null=True),
    *text(1023, "bounce_reason", null=True),
    *text(4000, "bounce_reasontag", null=True),
    *flag("cleaned", null=True),
    *indexes("shipment_id", "address", "customer_id", "ticket_id", "contact_id", ("status", "shipment_id")),
    *indexes("workflow_instance_id", "workflow_step_id"),
)

shipmenttype = Table("shipmenttype", metadata, key("shipmenttype_id"), *_long_list_item(), *audit())

#: A row says no: who has none accepts mailings of that type.
shipmenttypereservation = Table(
    "shipmenttypereservation",
    metadata,
    key("shipmenttypereservation_id"),
    *reference("person_id", "shipmenttype_id"),
    *audit(),
    *indexes("person_id", ("shipmenttype_id", "person_id")),
)

consentpurpose = Table(
    "consentpurpose",
    metadata,
    key("consentpurpose_id"),
    *text(4000, "name", "tooltip", "consenttext", "privacystatementdesc", "privacystatementurl", null=True),
    *number("rank", "deleted", null=True),
    *text(255, "key", null=True),
    *long_text("formtext", null=True),
    *flag("active", null=True),
    *audit(),
    unique("name"),
    unique("key"),
)

consentsource = Table(
    "consentsource",
    metadata,
    key("consentsource_id"),
    *_long_list_item(),
    *text(255, "key", null=True),
    *reference("mailtemplate_id", null=True),
    *audit(),
    unique("key"),
)

consentperson = Table(
    "consentperson",
    metadata,
    key("consentperson_id"),
    *reference("person_id", "consentpurpose_id", "legalbase_id", "consentsource_id", null=True),
    *text(255, "comment", null=True),
    *audit(),
    *indexes("legalbase_id", "consentsource_id"),
    unique("person_id", "consentpurpose_id"),
)
