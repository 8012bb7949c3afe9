"""Report definitions, label layouts, and the groups that users belong to besides their own."""

from __future__ import annotations

from alembic import op

from batchtask.migrations import drop_numbered_tables, number_tables

revision = "0008"
down_revision = "0007"

NUMBERS = {
    "SORTemplate": 173, "SORPublish": 174, "SORCriteria": 175, "SOROperators": 176, "SORSection": 177, "SORFCT": 178,
    "SORField": 179, "SORLabelLayout": 180, "SORPublishGroupLink": 25, "UserGroupLink": 60,
}  # fmt: skip

UPGRADE = """
CREATE TABLE crm7.usergrouplink (
    usergrouplink_id integer CONSTRAINT pk_usergrouplink PRIMARY KEY, assoc_id integer NOT NULL,
    usergroup_id integer NOT NULL, remark varchar(254), validfrom timestamp, validto timestamp, registered
    timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL, encryptedcheck varchar(254)
);
CREATE INDEX ix_usergrouplink_assoc_id ON crm7.usergrouplink (assoc_id);
CREATE INDEX ix_usergrouplink_usergroup_id ON crm7.usergrouplink (usergroup_id);

CREATE TABLE crm7.sortemplate (
    sortemplate_id integer CONSTRAINT pk_sortemplate PRIMARY KEY, subject integer NOT NULL, viewname
    varchar(29) NOT NULL, layout integer NOT NULL, orientation integer NOT NULL, orderby varchar(254),
    printwidth bigint NOT NULL, bottommargin bigint NOT NULL, topmargin bigint NOT NULL, leftmargin bigint
    NOT NULL, rightmargin bigint NOT NULL, published integer NOT NULL, registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_sortemplate_published ON crm7.sortemplate (published);
CREATE INDEX ix_sortemplate_subject ON crm7.sortemplate (subject);

CREATE TABLE crm7.sorpublish (
    sorpublish_id integer CONSTRAINT pk_sorpublish PRIMARY KEY, sortemplate_id integer NOT NULL, name
    varchar(239) NOT NULL, nameresid bigint NOT NULL, associate_id bigint NOT NULL, ccount integer NOT NULL,
    descriptionresid bigint NOT NULL, defaultlabellayout integer NOT NULL, forcedefault integer NOT NULL,
    registered timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL, description varchar(2047),
    isbuiltin integer, isedited smallint
);
CREATE INDEX ix_sorpublish_sortemplate_id ON crm7.sorpublish (sortemplate_id);

CREATE TABLE crm7.sorpublishgrouplink (
    sorpublishgrouplink_id integer CONSTRAINT pk_sorpublishgrouplink PRIMARY KEY, sorpublishid integer,
    usergroupid integer, registered timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated
    timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_sorpublishgrouplink_sorpublishid ON crm7.sorpublishgrouplink (sorpublishid);
CREATE INDEX ix_sorpublishgrouplink_usergroupid ON crm7.sorpublishgrouplink (usergroupid);

CREATE TABLE crm7.sorcriteria (
    sorcriteria_id integer CONSTRAINT pk_sorcriteria PRIMARY KEY, sorpublish_id integer NOT NULL, fieldname
    varchar(29) NOT NULL, soroperators_id integer NOT NULL, value1 varchar(254), value2 varchar(254), useit
    integer NOT NULL, whereorder integer NOT NULL, registered timestamptz NOT NULL, registered_associate_id
    integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount
    integer NOT NULL, locked smallint
);
CREATE INDEX ix_sorcriteria_sorpublish_id ON crm7.sorcriteria (sorpublish_id);

CREATE TABLE crm7.soroperators (
    soroperators_id integer CONSTRAINT pk_soroperators PRIMARY KEY, operatortype varchar(19) NOT NULL,
    description varchar(149) NOT NULL, descriptionresid bigint NOT NULL, operator1 varchar(19) NOT NULL,
    operator2 varchar(19), registered timestamptz NOT NULL, registered_associate_id integer NOT NULL,
    updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_soroperators_operatortype ON crm7.soroperators (operatortype);

CREATE TABLE crm7.sorsection (
    sorsection_id integer CONSTRAINT pk_sorsection PRIMARY KEY, sortemplate_id integer NOT NULL, sectiontype
    varchar(19) NOT NULL, height bigint NOT NULL, groupingfield varchar(29), registered timestamptz NOT
    NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_sorsection_sortemplate_id ON crm7.sorsection (sortemplate_id);

CREATE TABLE crm7.sorfct (
    sorfct_id integer CONSTRAINT pk_sorfct PRIMARY KEY, sorsection_id integer NOT NULL, fieldtype integer
    NOT NULL, content varchar(29), groupfootertype integer NOT NULL, caption varchar(149), captionresid
    bigint NOT NULL, totalscaption varchar(149), totalsresid bigint NOT NULL, aggregatefunction integer NOT
    NULL, displaytype integer NOT NULL, numberformat varchar(19), registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_sorfct_fieldtype ON crm7.sorfct (fieldtype);
CREATE INDEX ix_sorfct_sorsection_id ON crm7.sorfct (sorsection_id);

CREATE TABLE crm7.sorfield (
    sorfield_id integer CONSTRAINT pk_sorfield PRIMARY KEY, sorsection_id integer NOT NULL, fieldtype
    varchar(14) NOT NULL, content varchar(254), contentresid bigint NOT NULL, settop bigint NOT NULL,
    setleft bigint NOT NULL, setheight bigint, setwidth bigint NOT NULL, running integer NOT NULL, func
    integer NOT NULL, grouptype integer NOT NULL, sgroup varchar(14), visible integer NOT NULL, fontname
    varchar(149) NOT NULL, fontsize integer NOT NULL, fontcolor integer NOT NULL, fontbold integer NOT NULL,
    fontitalic integer NOT NULL, fontstrikethrough integer NOT NULL, fontunderline integer NOT NULL,
    alignment integer NOT NULL, dataformat varchar(19) NOT NULL, registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_sorfield_fieldtype ON crm7.sorfield (fieldtype);
CREATE INDEX ix_sorfield_sorsection_id ON crm7.sorfield (sorsection_id);
CREATE INDEX ix_sorfield_visible ON crm7.sorfield (visible);

CREATE TABLE crm7.sorlabellayout (
    sorlabellayout_id integer CONSTRAINT pk_sorlabellayout PRIMARY KEY, name varchar(239) NOT NULL,
    paperwidth bigint NOT NULL, paperheight bigint NOT NULL, topmargin bigint NOT NULL, bottommargin bigint
    NOT NULL, leftmargin bigint NOT NULL, rightmargin bigint NOT NULL, countcolumns integer NOT NULL,
    countrows integer NOT NULL, orientation integer NOT NULL, printwidth bigint NOT NULL, labelheight bigint
    NOT NULL, registered timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz
    NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL, description
    varchar(2047) NOT NULL
);
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    number_tables(NUMBERS)


def downgrade() -> None:
    drop_numbered_tables(NUMBERS)
