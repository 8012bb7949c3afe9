"""Definitions of user-defined fields, and the lists that they choose from."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

#: Table numbers by the CRM's documentation; the row of `crm7.sequence` has the number plus ten.
NUMBERS = {"UDList": 136, "UDListDefinition": 139, "UDefField": 146}

UPGRADE = """
CREATE TABLE crm7.udeffield (
    udeffield_id integer CONSTRAINT pk_udeffield PRIMARY KEY, ownertable_id integer NOT NULL, taborder
    integer NOT NULL, fieldtype integer NOT NULL, listtableid integer, udlistdefinition_id integer NOT NULL,
    columnid integer NOT NULL, textlength integer, fielddefault varchar(254), indexed smallint, mandatory
    smallint NOT NULL, readonly integer, tooltip varchar(254), fieldlabel varchar(254), labelleft integer,
    labeltop integer, labelwidth integer, labelheight integer, fieldleft integer, fieldtop integer,
    fieldwidth integer, fieldheight integer, version integer, lastversionid integer, page1lineno integer,
    registered timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL, udefidentity integer, hidelabel
    smallint, justification integer, progid varchar(254), formatmask varchar(254), shortlabel varchar(254)
);
CREATE INDEX ix_udeffield_ownertable_id ON crm7.udeffield (ownertable_id);

CREATE TABLE crm7.udlistdefinition (
    udlistdefinition_id integer CONSTRAINT pk_udlistdefinition PRIMARY KEY, name varchar(239) NOT NULL, rank
    integer, deleted integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id
    integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount
    integer NOT NULL, listtableid integer NOT NULL, requiredlicense varchar(254)
);
CREATE UNIQUE INDEX ix_udlistdefinition_name ON crm7.udlistdefinition (name);

CREATE TABLE crm7.udlist (
    udlist_id integer CONSTRAINT pk_udlist PRIMARY KEY, name varchar(239) NOT NULL, rank integer, deleted
    integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer NOT
    NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL, udlistdefinition_id integer NOT NULL
);
CREATE INDEX ix_udlist_name ON crm7.udlist (name);
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for name, number in NUMBERS.items():
        op.execute(f"INSERT INTO crm7.sequence VALUES ({number} + 10, 1, '{name}', {number})")


def downgrade() -> None:
    for name, number in NUMBERS.items():
        op.execute(f"DROP TABLE crm7.{name}")
        op.execute(f"DELETE FROM crm7.sequence WHERE tablenumber = {number}")
