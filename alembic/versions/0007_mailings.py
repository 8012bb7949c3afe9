"""Mailings and their recipients, consents."""

from __future__ import annotations

from alembic import op

from batchtask.migrations import drop_numbered_tables, number_tables

revision = "0007"
down_revision = "0006"

#: Table numbers by the CRM's documentation; the row of `crm7.sequence` has the number plus ten.
NUMBERS = {
    "s_message": 335, "s_shipment": 334, "s_shipment_addr": 347,
    "ShipmentType": 498, "ShipmentTypeReservation": 499,
    "ConsentPurpose": 469, "ConsentSource": 471, "ConsentPerson": 472,
}  # fmt: skip

UPGRADE = """
CREATE TABLE crm7.s_message (
    id integer CONSTRAINT pk_s_message PRIMARY KEY, plain_message text, html_message text, sms_message text,
    header_field text, design text, description varchar(255), subject varchar(255), access_key varchar(255),
    flags integer NOT NULL, folder_id integer NOT NULL, designtype integer NOT NULL, inline_images smallint,
    register_views smallint, document_message integer, long_description varchar(4000), registered
    timestamptz, registered_associate_id integer, updated timestamptz, updated_associate_id integer,
    updatedcount integer
);

CREATE TABLE crm7.s_shipment (
    id integer CONSTRAINT pk_s_shipment PRIMARY KEY, description varchar(255), message_id integer NOT NULL,
    start_date timestamp, end_date timestamp, actual_time timestamp, from_addr varchar(255) NOT NULL,
    reply_addr varchar(255), envelope_from varchar(255), smtp_serv varchar(255), smtp_port integer NOT NULL,
    send_rate integer NOT NULL, status integer NOT NULL, recipients integer NOT NULL, actual_rate integer
    NOT NULL, actual_count integer NOT NULL, current_sender integer, ticket_owner integer, ticket_category
    integer, active_pane integer, flags bigint, folder_id integer NOT NULL, configuration integer NOT NULL,
    sorting integer NOT NULL, selection_id integer, project_id integer, generated_document_id integer,
    shipmenttype_id integer, delivered_num integer, open_num integer, click_num integer, hardbounce_num
    integer, softbounce_num integer, totalbounce_num integer, sent_num integer, open_rate double precision,
    click_rate double precision, hardbounce_rate double precision, softbounce_rate double precision,
    totalbounce_rate double precision, are_statistics_dirty smallint NOT NULL, registered timestamptz,
    registered_associate_id integer, updated timestamptz, updated_associate_id integer, updatedcount integer
);
CREATE INDEX ix_s_shipment_are_statistics_dirty_id ON crm7.s_shipment (are_statistics_dirty, id);
CREATE INDEX ix_s_shipment_message_id ON crm7.s_shipment (message_id);

CREATE TABLE crm7.s_shipment_addr (
    id integer CONSTRAINT pk_s_shipment_addr PRIMARY KEY, shipment_id integer NOT NULL, address varchar(255)
    NOT NULL, name varchar(255), owner_lock varchar(255), timestamp integer, type integer, sender_nr
    integer, status integer, bounce_code integer, customer_id integer NOT NULL, ticket_id integer NOT NULL,
    contact_id integer, form_submission_id integer, workflow_step_id integer, workflow_instance_id integer,
    sending_time timestamp, bounce_reason varchar(1023), bounce_reasontag varchar(4000), cleaned smallint
);
CREATE INDEX ix_s_shipment_addr_address ON crm7.s_shipment_addr (address);
CREATE INDEX ix_s_shipment_addr_contact_id ON crm7.s_shipment_addr (contact_id);
CREATE INDEX ix_s_shipment_addr_customer_id ON crm7.s_shipment_addr (customer_id);
CREATE INDEX ix_s_shipment_addr_shipment_id ON crm7.s_shipment_addr (shipment_id);
CREATE INDEX ix_s_shipment_addr_status_shipment_id ON crm7.s_shipment_addr (status, shipment_id);
CREATE INDEX ix_s_shipment_addr_ticket_id ON crm7.s_shipment_addr (ticket_id);
CREATE INDEX ix_s_shipment_addr_workflow_instance_id ON crm7.s_shipment_addr (workflow_instance_id);
CREATE INDEX ix_s_shipment_addr_workflow_step_id ON crm7.s_shipment_addr (workflow_step_id);

CREATE TABLE crm7.shipmenttype (
    shipmenttype_id integer CONSTRAINT pk_shipmenttype PRIMARY KEY, name varchar(4000) NOT NULL, rank
    integer, deleted integer, tooltip varchar(4000), registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL
);

CREATE TABLE crm7.shipmenttypereservation (
    shipmenttypereservation_id integer CONSTRAINT pk_shipmenttypereservation PRIMARY KEY, person_id integer
    NOT NULL, shipmenttype_id integer NOT NULL, registered timestamptz NOT NULL, registered_associate_id
    integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount
    integer NOT NULL
);
CREATE INDEX ix_shipmenttypereservation_person_id ON crm7.shipmenttypereservation (person_id);
CREATE INDEX ix_shipmenttypereservation_shipmenttype_id_person_id
    ON crm7.shipmenttypereservation (shipmenttype_id, person_id);

CREATE TABLE crm7.consentpurpose (
    consentpurpose_id integer CONSTRAINT pk_consentpurpose PRIMARY KEY, name varchar(4000), tooltip
    varchar(4000), consenttext varchar(4000), privacystatementdesc varchar(4000), privacystatementurl
    varchar(4000), rank integer, deleted integer, key varchar(255), formtext text, active smallint,
    registered timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE UNIQUE INDEX ix_consentpurpose_key ON crm7.consentpurpose (key);
CREATE UNIQUE INDEX ix_consentpurpose_name ON crm7.consentpurpose (name);

CREATE TABLE crm7.consentsource (
    consentsource_id integer CONSTRAINT pk_consentsource PRIMARY KEY, name varchar(4000) NOT NULL, rank
    integer, deleted integer, tooltip varchar(4000), key varchar(255), mailtemplate_id integer, registered
    timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE UNIQUE INDEX ix_consentsource_key ON crm7.consentsource (key);

CREATE TABLE crm7.consentperson (
    consentperson_id integer CONSTRAINT pk_consentperson PRIMARY KEY, person_id integer, consentpurpose_id
    integer, legalbase_id integer, consentsource_id integer, comment varchar(255), registered timestamptz
    NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_consentperson_consentsource_id ON crm7.consentperson (consentsource_id);
CREATE INDEX ix_consentperson_legalbase_id ON crm7.consentperson (legalbase_id);
CREATE UNIQUE INDEX ix_consentperson_person_id_consentpurpose_id
    ON crm7.consentperson (person_id, consentpurpose_id);
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    number_tables(NUMBERS)


def downgrade() -> None:
    drop_numbered_tables(NUMBERS)
