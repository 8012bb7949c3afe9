"""Status monitors, counters, their settings, and the names of things in several languages."""

from __future__ import annotations

from alembic import op

from batchtask.migrations import drop_numbered_tables, number_tables

revision = "0009"
down_revision = "0008"

#: Table numbers by the CRM's documentation; the row of `crm7.sequence` has the number plus ten.
NUMBERS = {
    "CounterValue": 197, "StatusDef": 198, "StatusValue": 199, "SaintConfiguration": 458,
    "Intent": 216, "AmountClass": 225, "LocaleText": 169,
}  # fmt: skip

UPGRADE = """
CREATE TABLE crm7.statusdef (
    statusdef_id integer CONSTRAINT pk_statusdef PRIMARY KEY, isvisual smallint, needsupdate smallint, rank
    integer, deleted smallint, ownertable integer, dirtyonchange smallint, defaulttask integer,
    lastgenerated timestamp, nummatches bigint, numneedupdate bigint, registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL, generationstart timestamp
);

CREATE TABLE crm7.statusvalue (
    statusvalue_id integer CONSTRAINT pk_statusvalue PRIMARY KEY, statusdef_id integer NOT NULL, contact_id
    integer NOT NULL, person_id integer NOT NULL, project_id integer NOT NULL, extra1_id integer NOT NULL,
    extra2_id integer NOT NULL, issignalled smallint NOT NULL, needsupdate smallint NOT NULL, registered
    timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_statusvalue_contact_id ON crm7.statusvalue (contact_id);
CREATE INDEX ix_statusvalue_contact_id_issignalled_statusdef_id
    ON crm7.statusvalue (contact_id, issignalled, statusdef_id);
CREATE INDEX ix_statusvalue_extra1_id ON crm7.statusvalue (extra1_id);
CREATE INDEX ix_statusvalue_extra1_id_issignalled_statusdef_id
    ON crm7.statusvalue (extra1_id, issignalled, statusdef_id);
CREATE INDEX ix_statusvalue_extra2_id ON crm7.statusvalue (extra2_id);
CREATE INDEX ix_statusvalue_extra2_id_issignalled_statusdef_id
    ON crm7.statusvalue (extra2_id, issignalled, statusdef_id);
CREATE INDEX ix_statusvalue_issignalled ON crm7.statusvalue (issignalled);
CREATE INDEX ix_statusvalue_person_id ON crm7.statusvalue (person_id);
CREATE INDEX ix_statusvalue_person_id_issignalled_statusdef_id
    ON crm7.statusvalue (person_id, issignalled, statusdef_id);
CREATE INDEX ix_statusvalue_project_id ON crm7.statusvalue (project_id);
CREATE INDEX ix_statusvalue_project_id_issignalled_statusdef_id
    ON crm7.statusvalue (project_id, issignalled, statusdef_id);
CREATE INDEX ix_statusvalue_statusdef_id ON crm7.statusvalue (statusdef_id);

CREATE TABLE crm7.countervalue (
    countervalue_id integer CONSTRAINT pk_countervalue PRIMARY KEY, contact_id integer NOT NULL, person_id
    integer NOT NULL, project_id integer NOT NULL, extra1_id integer NOT NULL, extra2_id integer NOT NULL,
    record_type integer NOT NULL, direction integer NOT NULL, intent_id integer NOT NULL, sale_status
    integer NOT NULL, amountclassid integer NOT NULL, totalreg bigint NOT NULL, totalreginperiod bigint NOT
    NULL, notcompleted bigint NOT NULL, notcompletedinperiod bigint NOT NULL, lastregistered timestamp,
    lastcompleted timestamp, lastdoby timestamp, extra1_count bigint, extra2_count bigint, extra3_count
    bigint, extra4_count bigint, registered timestamptz NOT NULL, registered_associate_id integer NOT NULL,
    updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_countervalue_contact_id_record_type ON crm7.countervalue (contact_id, record_type);
CREATE INDEX ix_countervalue_contact_id_sale_status ON crm7.countervalue (contact_id, sale_status);
CREATE INDEX ix_countervalue_project_id_record_type ON crm7.countervalue (project_id, record_type);
CREATE INDEX ix_countervalue_project_id_sale_status ON crm7.countervalue (project_id, sale_status);
CREATE INDEX ix_countervalue_record_type_direction_intent_id
    ON crm7.countervalue (record_type, direction, intent_id);
CREATE INDEX ix_countervalue_sale_status_amountclassid ON crm7.countervalue (sale_status, amountclassid);

CREATE TABLE crm7.saintconfiguration (
    saintconfiguration_id integer CONSTRAINT pk_saintconfiguration PRIMARY KEY, ownertable integer NOT NULL,
    enabled smallint NOT NULL, period1 integer NOT NULL, period2 integer NOT NULL, period3 integer NOT NULL,
    generationstart timestamp, generationend timestamp, rowsgenerated integer, registered timestamptz NOT
    NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);

CREATE TABLE crm7.intent (
    intent_id integer CONSTRAINT pk_intent PRIMARY KEY, name varchar(239) NOT NULL, rank integer, deleted
    integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer NOT
    NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE UNIQUE INDEX ix_intent_name ON crm7.intent (name);

CREATE TABLE crm7.amountclass (
    amountclass_id integer CONSTRAINT pk_amountclass PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
    deleted integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL, amountfrom double precision, amountto double precision, currencyid integer
);
CREATE INDEX ix_amountclass_amountfrom ON crm7.amountclass (amountfrom);
CREATE INDEX ix_amountclass_amountto ON crm7.amountclass (amountto);
CREATE UNIQUE INDEX ix_amountclass_name ON crm7.amountclass (name);

CREATE TABLE crm7.localetext (
    localetext_id integer CONSTRAINT pk_localetext PRIMARY KEY, languageid integer NOT NULL, typeid integer
    NOT NULL, resourceid integer NOT NULL, text varchar(254), registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL, isbuiltin integer
);
CREATE UNIQUE INDEX ix_localetext_languageid_typeid_resourceid
    ON crm7.localetext (languageid, typeid, resourceid);
CREATE INDEX ix_localetext_resourceid ON crm7.localetext (resourceid);
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    number_tables(NUMBERS)


def downgrade() -> None:
    drop_numbered_tables(NUMBERS)
