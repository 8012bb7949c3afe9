"""Mail accounts, folders and messages; how far each folder was read; persons by their address in any case."""

from __future__ import annotations

from alembic import op

from batchtask.migrations import drop_numbered_tables, number_tables

revision = "0006"
down_revision = "0005"

#: The CRM's releases disagree about some of them; these are the older ones, which leave no gap.
NUMBERS = {
    "email_account": 486, "email_folder": 487, "service_auth": 488, "email_item": 489, "email_attachment": 490,
}  # fmt: skip

UPGRADE = """
CREATE TABLE crm7.service_auth (
    service_auth_id integer CONSTRAINT pk_service_auth PRIMARY KEY, server varchar(255), port integer,
    auth_type varchar(255), username varchar(255), password text, associate_id integer, auth_status integer,
    encryptedcheck varchar(254) NOT NULL, registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL
);

CREATE TABLE crm7.email_account (
    email_account_id integer CONSTRAINT pk_email_account PRIMARY KEY, email_address varchar(255),
    associate_id integer, incoming_auth integer, outgoing_auth integer, "default" smallint, simple_mode
    smallint, account_status integer, error_count integer, encryptedcheck varchar(254) NOT NULL,
    error_reason varchar(254) NOT NULL, last_fetch timestamptz, registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_email_account_associate_id ON crm7.email_account (associate_id);
CREATE INDEX ix_email_account_email_address ON crm7.email_account (email_address);

CREATE TABLE crm7.email_folder (
    email_folder_id integer CONSTRAINT pk_email_folder PRIMARY KEY, account_id integer, parent_folder_id
    integer, name varchar(255), folder_separator varchar(255), attributes integer, registered timestamptz
    NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_email_folder_account_id ON crm7.email_folder (account_id);

CREATE TABLE crm7.email_item (
    email_item_id integer CONSTRAINT pk_email_item PRIMARY KEY, account_id integer, email_folder_id integer,
    server_id bigint NOT NULL, size integer NOT NULL, flags integer, priority integer, has_attachment
    smallint, messageid varchar(512), in_reply_to varchar(512), sent_at timestamp, received_at timestamp,
    replied_at timestamp, subject varchar(255), "from" varchar(4000), "to" varchar(4000), cc varchar(4000), mime
    text, plain_body text, html_body text, cal_data text, person_id integer, contact_id integer, document_id
    integer, appointment_id integer, sale_id integer, registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_email_item_account_id ON crm7.email_item (account_id);
CREATE INDEX ix_email_item_account_id_server_id ON crm7.email_item (account_id, server_id);
CREATE INDEX ix_email_item_email_folder_id ON crm7.email_item (email_folder_id);
CREATE INDEX ix_email_item_messageid ON crm7.email_item (messageid);
CREATE INDEX ix_email_item_server_id ON crm7.email_item (server_id);

CREATE TABLE crm7.email_attachment (
    email_attachment_id integer CONSTRAINT pk_email_attachment PRIMARY KEY, email_item_id integer, cid
    varchar(255), description varchar(255), filename varchar(255), disposition varchar(255), type
    varchar(255), encoding varchar(255), size integer
);
CREATE INDEX ix_email_attachment_email_item_id ON crm7.email_attachment (email_item_id);

-- A sender is found whatever the case of the letters.
CREATE INDEX ix_email_email_address_lower ON crm7.email (lower(email_address));

CREATE TABLE batchtask.mail_folder_state (
    email_folder_id integer CONSTRAINT mail_folder_state_pkey PRIMARY KEY,
    account_id      integer NOT NULL,
    uid_validity    bigint  NOT NULL,
    next_uid        bigint,
    messages        bigint,
    modseq          bigint,
    since           date
);
CREATE INDEX mail_folder_state_account_id_idx ON batchtask.mail_folder_state (account_id);
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    number_tables(NUMBERS)


def downgrade() -> None:
    op.execute("DROP TABLE batchtask.mail_folder_state; DROP INDEX crm7.ix_email_email_address_lower")
    drop_numbered_tables(NUMBERS)
