"""Mail accounts with their logins, and what was downloaded of their folders."""

from __future__ import annotations

from sqlalchemy import Table

from batchtask.crm7.columns import (
    audit,
    big_number,
    flag,
    indexes,
    key,
    local_time,
    long_text,
    metadata,
    number,
    reference,
    text,
    utc_time,
)

#: A login at a mail server. `password` is sealed (see `batchtask.sealing`) and wider than the original's 255
#: characters, which hold no sealed token of OAuth.
service_auth = Table(
    "service_auth",
    metadata,
    key("service_auth_id"),
    *text(255, "server", null=True),
    *number("port", null=True),
    *text(255, "auth_type", "username", null=True),
    *long_text("password", null=True),
    *reference("associate_id", null=True),
    *number("auth_status", null=True),
    *text(254, "encryptedcheck"),
    *audit(),
)

#: `account_status`: 0 unknown, 1 deleted, 2 failing, 3 failed, 4 ok.
email_account = Table(
    "email_account",
    metadata,
    key("email_account_id"),
    *text(255, "email_address", null=True),
    *reference("associate_id", "incoming_auth", "outgoing_auth", null=True),
    *flag("default", "simple_mode", null=True),
    *number("account_status", "error_count", null=True),
    *text(254, "encryptedcheck", "error_reason"),
    *utc_time("last_fetch", null=True),
    *audit(),
    *indexes("associate_id", "email_address"),
)

email_folder = Table(
    "email_folder",
    metadata,
    key("email_folder_id"),
    *reference("account_id", "parent_folder_id", null=True),
    *text(255, "name", "folder_separator", null=True),
    *number("attributes", null=True),
    *audit(),
    *indexes("account_id"),
)

#: `server_id` is the IMAP UID, which reaches 4 294 967 295: more than the original's Int.
email_item = Table(
    "email_item",
    metadata,
    key("email_item_id"),
    *reference("account_id", "email_folder_id", null=True),
    *big_number("server_id"),
    *number("size"),
    *number("flags", "priority", null=True),
    *flag("has_attachment", null=True),
    *text(512, "messageid", "in_reply_to", null=True),
    *local_time("sent_at", "received_at", "replied_at", null=True),
    *text(255, "subject", null=True),
    *text(4000, "from", "to", "cc", null=True),
    *long_text("mime", "plain_body", "html_body", "cal_data", null=True),
    *reference("person_id", "contact_id", "document_id", "appointment_id", "sale_id", null=True),
    *audit(),
    *indexes("server_id", "account_id", ("account_id", "server_id"), "messageid", "email_folder_id"),
)

#: What a message has attached; the content stays on the mail server.
email_attachment = Table(
    "email_attachment",
    metadata,
    key("email_attachment_id"),
    *reference("email_item_id", null=True),
    *text(255, "cid", "description", "filename", "disposition", "type", "encoding", null=True),
    *number("size", null=True),
    *indexes("email_item_id"),
)
