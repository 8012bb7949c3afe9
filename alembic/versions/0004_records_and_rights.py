"""Projects, sales, appointments, documents, stored criteria, rights, preferences, and all user-defined values."""

from __future__ import annotations

from alembic import op

from batchtask.migrations import drop_numbered_tables, number_tables

revision = "0004"
down_revision = "0003"

#: Table numbers by the CRM's documentation; the row of `crm7.sequence` has the number plus ten.
NUMBERS = {
    "project": 11, "projectmember": 12, "sale": 13, "appointment": 9, "document": 10, "text": 18,
    "UserGroup": 59, "Task": 67, "ProjType": 85, "ProjStatus": 88, "SaleType": 149, "Source": 100,
    "SearchCriteria": 201, "SearchCriteriaGroup": 202, "SearchCriterion": 203, "SearchCriterionValue": 204,
    "Role": 191, "UserRoleLink": 192, "DataRight": 195, "VisibleFor": 196,
    "UserPreference": 56, "SystemEvent": 153,
    "udprojectSmall": 142, "udprojectLarge": 143, "udtempSmall": 144, "udtempLarge": 145,
    "udsalesmall": 158, "udsalelarge": 159, "udappntsmall": 228, "udappntlarge": 229,
    "uddocsmall": 230, "uddoclarge": 231,
}  # fmt: skip

OWNERS = ("project", "temp", "sale", "appnt", "doc")

UPGRADE = """
CREATE TABLE crm7.project (
    project_id integer CONSTRAINT pk_project PRIMARY KEY, name varchar(219), project_number varchar(49),
    type_idx integer NOT NULL, associate_id integer NOT NULL, status_idx integer, text_id integer,
    postittext_id integer, group_id integer, tzlocationid integer, userdef_id integer, userdef2_id integer,
    nmdappointment_id integer, soundex varchar(9), source integer, activeerplinks integer, activelinks
    bigint, done smallint, enddate timestamp, nextmilestonedate timestamp, registered timestamptz NOT NULL,
    registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT
    NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_project_done ON crm7.project (done);
CREATE INDEX ix_project_name ON crm7.project (name);
CREATE INDEX ix_project_project_number ON crm7.project (project_number);
CREATE INDEX ix_project_soundex ON crm7.project (soundex);
CREATE INDEX ix_project_source ON crm7.project (source);
CREATE INDEX ix_project_userdef2_id ON crm7.project (userdef2_id);

CREATE TABLE crm7.projectmember (
    projectmember_id integer CONSTRAINT pk_projectmember PRIMARY KEY, project_id integer, contact_id
    integer, person_id integer, mtype_idx integer, text_id integer, rank integer, registered timestamptz NOT
    NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_projectmember_contact_id ON crm7.projectmember (contact_id);
CREATE INDEX ix_projectmember_person_id ON crm7.projectmember (person_id);
CREATE INDEX ix_projectmember_project_id_rank ON crm7.projectmember (project_id, rank);

CREATE TABLE crm7.sale (
    sale_id integer CONSTRAINT pk_sale PRIMARY KEY, associate_id integer NOT NULL, group_idx integer NOT
    NULL, contact_id integer NOT NULL, probability_idx integer NOT NULL, appointment_id integer NOT NULL,
    project_id integer NOT NULL, person_id integer, text_id integer, postittext_id integer, userdef_id
    integer, userdef2_id integer, credited_id integer, source_id integer, reason_id integer, comptr_id
    integer, currency_id integer, saletype_id integer, reasonstalled_id integer, nddappointment_id integer,
    reasonsold_id integer, saletypecat_id integer, created_by_workflow_id integer, stage_when_closed_id
    integer, saledate timestamp NOT NULL, reopendate timestamp, nextduedate timestamp, amount double
    precision, earning double precision, earning_percent double precision, heading varchar(219), number1
    varchar(49), probability integer, status integer, done integer, visibility integer, source integer,
    activeerplinks integer, activelinks bigint, registered timestamptz NOT NULL, registered_associate_id
    integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount
    integer NOT NULL
);
CREATE INDEX ix_sale_associate_id_done_saledate ON crm7.sale (associate_id, done, saledate);
CREATE INDEX ix_sale_contact_id ON crm7.sale (contact_id);
CREATE INDEX ix_sale_contact_id_saledate_associate_id ON crm7.sale (contact_id, saledate, associate_id);
CREATE INDEX ix_sale_created_by_workflow_id ON crm7.sale (created_by_workflow_id);
CREATE INDEX ix_sale_done ON crm7.sale (done);
CREATE INDEX ix_sale_heading ON crm7.sale (heading);
CREATE INDEX ix_sale_number1 ON crm7.sale (number1);
CREATE INDEX ix_sale_person_id ON crm7.sale (person_id);
CREATE INDEX ix_sale_project_id ON crm7.sale (project_id);
CREATE INDEX ix_sale_project_id_saledate_associate_id ON crm7.sale (project_id, saledate, associate_id);
CREATE INDEX ix_sale_saledate ON crm7.sale (saledate);
CREATE INDEX ix_sale_source ON crm7.sale (source);
CREATE INDEX ix_sale_status ON crm7.sale (status);
CREATE INDEX ix_sale_userdef2_id ON crm7.sale (userdef2_id);
CREATE INDEX ix_sale_userdef_id ON crm7.sale (userdef_id);

CREATE TABLE crm7.appointment (
    appointment_id integer CONSTRAINT pk_appointment PRIMARY KEY, associate_id integer NOT NULL, group_idx
    integer NOT NULL, task_idx integer NOT NULL, contact_id integer, person_id integer, project_id integer,
    sale_id integer, document_id integer, text_id integer, priority_idx integer, mother_id integer,
    invitedpersonid integer, userdef_id integer, userdef2_id integer, recurrenceruleid integer, emailid
    integer, assignedby integer, preferredtzlocation integer, suggestedappointmentid integer,
    suggesteddocumentid integer, agenda_text_id integer, internal_notes_text_id integer,
    created_by_workflow_id integer, mother_associate_id integer, done timestamp NOT NULL, do_by timestamp,
    activedate timestamp, enddate timestamp, original_start_date timestamp, leadtime integer, lagtime
    integer, type integer, status integer, private integer, alarm integer, color_index integer, source
    integer, alldayevent integer, freebusy integer, rejectcounter integer, modified_appointment_fields
    integer, cautionwarning integer, owned_externally integer NOT NULL, activelinks bigint, hasalarm
    smallint, ismilestone smallint, sendemail smallint, location varchar(254), rejectreason varchar(254),
    join_videomeet_url varchar(2000), centralservice_videomeet_id varchar(100), registered timestamptz NOT
    NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_appointment_activedate ON crm7.appointment (activedate);
CREATE INDEX ix_appointment_associate_id_type_status_activedate
    ON crm7.appointment (associate_id, type, status, activedate);
CREATE INDEX ix_appointment_contact_id ON crm7.appointment (contact_id);
CREATE INDEX ix_appointment_contact_id_type ON crm7.appointment (contact_id, type);
CREATE INDEX ix_appointment_do_by ON crm7.appointment (do_by);
CREATE INDEX ix_appointment_document_id ON crm7.appointment (document_id);
CREATE INDEX ix_appointment_done ON crm7.appointment (done);
CREATE INDEX ix_appointment_group_idx ON crm7.appointment (group_idx);
CREATE INDEX ix_appointment_mother_id ON crm7.appointment (mother_id);
CREATE INDEX ix_appointment_person_id ON crm7.appointment (person_id);
CREATE INDEX ix_appointment_project_id ON crm7.appointment (project_id);
CREATE INDEX ix_appointment_project_id_type ON crm7.appointment (project_id, type);
CREATE INDEX ix_appointment_sale_id ON crm7.appointment (sale_id);
CREATE INDEX ix_appointment_source ON crm7.appointment (source);
CREATE INDEX ix_appointment_text_id ON crm7.appointment (text_id);
CREATE INDEX ix_appointment_type_activedate ON crm7.appointment (type, activedate);
CREATE INDEX ix_appointment_userdef2_id ON crm7.appointment (userdef2_id);
CREATE INDEX ix_appointment_userdef_id ON crm7.appointment (userdef_id);

CREATE TABLE crm7.document (
    document_id integer CONSTRAINT pk_document PRIMARY KEY, application_id integer NOT NULL, name
    varchar(511) NOT NULL, header varchar(219), our_ref varchar(99), your_ref varchar(99), searchname
    varchar(99), attention varchar(99), text_id integer, appointment_id integer, userdef_id integer,
    userdef2_id integer, archiveprovider integer, snum integer, extref varchar(511), exturl varchar(1023),
    registered timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_document_archiveprovider ON crm7.document (archiveprovider);
CREATE INDEX ix_document_extref ON crm7.document (extref);
CREATE INDEX ix_document_header ON crm7.document (header);
CREATE INDEX ix_document_our_ref ON crm7.document (our_ref);
CREATE INDEX ix_document_searchname ON crm7.document (searchname);
CREATE INDEX ix_document_userdef2_id ON crm7.document (userdef2_id);
CREATE INDEX ix_document_userdef_id ON crm7.document (userdef_id);

CREATE TABLE crm7.text (
    text_id integer CONSTRAINT pk_text PRIMARY KEY, type integer, owner_id integer, lcid integer, seqno
    integer, text varchar(4000), html_text text, registered timestamptz NOT NULL, registered_associate_id
    integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount
    integer NOT NULL
);
CREATE INDEX ix_text_owner_id_type ON crm7.text (owner_id, type);

CREATE TABLE crm7.usergroup (
    usergroup_id integer CONSTRAINT pk_usergroup PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
    deleted integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL, type integer
);
CREATE UNIQUE INDEX ix_usergroup_name ON crm7.usergroup (name);

CREATE TABLE crm7.task (
    task_id integer CONSTRAINT pk_task PRIMARY KEY, name varchar(239) NOT NULL, rank integer, deleted
    integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer NOT
    NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL, record_type integer NOT NULL, direction integer, color_index integer, defaultalldayevent integer,
    defaultfreebusy integer, defaultpublishtype integer, intentid integer, default_videomeeting_status
    integer NOT NULL
);
CREATE UNIQUE INDEX ix_task_name ON crm7.task (name);

CREATE TABLE crm7.projtype (
    projtype_id integer CONSTRAINT pk_projtype PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
    deleted integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL
);
CREATE UNIQUE INDEX ix_projtype_name ON crm7.projtype (name);

CREATE TABLE crm7.projstatus (
    projstatus_id integer CONSTRAINT pk_projstatus PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
    deleted integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL
);
CREATE UNIQUE INDEX ix_projstatus_name ON crm7.projstatus (name);

CREATE TABLE crm7.saletype (
    saletype_id integer CONSTRAINT pk_saletype PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
    deleted integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL
);
CREATE UNIQUE INDEX ix_saletype_name ON crm7.saletype (name);

CREATE TABLE crm7.source (
    source_id integer CONSTRAINT pk_source PRIMARY KEY, name varchar(239) NOT NULL, rank integer, deleted
    integer, tooltip varchar(254), registered timestamptz NOT NULL, registered_associate_id integer NOT
    NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE UNIQUE INDEX ix_source_name ON crm7.source (name);

CREATE TABLE crm7.searchcriteria (
    searchcriteria_id integer CONSTRAINT pk_searchcriteria PRIMARY KEY, name varchar(254) NOT NULL, textid
    integer, ownertype integer, ownertable integer, ownerid integer, ownername varchar(254), ownerguiname
    varchar(254), displayname varchar(254), registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL
);
CREATE INDEX ix_searchcriteria_ownerid_ownername_ownerguiname
    ON crm7.searchcriteria (ownerid, ownername, ownerguiname);
CREATE INDEX ix_searchcriteria_ownerid_ownertable_ownertype_ownerguiname
    ON crm7.searchcriteria (ownerid, ownertable, ownertype, ownerguiname);

CREATE TABLE crm7.searchcriteriagroup (
    searchcriteriagroup_id integer CONSTRAINT pk_searchcriteriagroup PRIMARY KEY, searchcriteria_id integer
    NOT NULL, name varchar(254) NOT NULL, textid integer, direction integer NOT NULL, rank integer NOT NULL,
    active integer NOT NULL, registered timestamptz NOT NULL, registered_associate_id integer NOT NULL,
    updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_searchcriteriagroup_searchcriteria_id_rank ON crm7.searchcriteriagroup (searchcriteria_id, rank);

CREATE TABLE crm7.searchcriterion (
    searchcriterion_id integer CONSTRAINT pk_searchcriterion PRIMARY KEY, searchcriteriagroup_id integer NOT
    NULL, criterionid integer NOT NULL, operatorid integer NOT NULL, linktype integer NOT NULL, active
    integer NOT NULL, rank integer NOT NULL, extraid integer, udefidentity integer, uniquekey integer,
    parenthesis integer, columnname varchar(254), operatorname varchar(254), registered timestamptz NOT
    NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_searchcriterion_columnname ON crm7.searchcriterion (columnname);
CREATE INDEX ix_searchcriterion_searchcriteriagroup_id ON crm7.searchcriterion (searchcriteriagroup_id);

CREATE TABLE crm7.searchcriterionvalue (
    searchcriterionvalue_id integer CONSTRAINT pk_searchcriterionvalue PRIMARY KEY, searchcriterion_id
    integer NOT NULL, longvalue integer, listtableid integer, listitemid integer, doublevalue double
    precision, stringvalue varchar(254), valuetype varchar(128), rank integer NOT NULL, registered
    timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_searchcriterionvalue_searchcriterion_id ON crm7.searchcriterionvalue (searchcriterion_id);

CREATE TABLE crm7.role (
    role_id integer CONSTRAINT pk_role PRIMARY KEY, name varchar(239), rank integer NOT NULL, deleted
    integer NOT NULL, roletype integer NOT NULL, tooltip varchar(254), encryptedcheck varchar(254) NOT NULL,
    use_categories smallint, registered timestamptz NOT NULL, registered_associate_id integer NOT NULL,
    updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);

CREATE TABLE crm7.userrolelink (
    userrolelink_id integer CONSTRAINT pk_userrolelink PRIMARY KEY, associate_id integer NOT NULL, role_id
    integer NOT NULL, linktype bigint NOT NULL, encryptedcheck varchar(254) NOT NULL, registered timestamptz
    NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL, updated_associate_id
    integer NOT NULL, updatedcount integer NOT NULL
);

CREATE TABLE crm7.dataright (
    dataright_id integer CONSTRAINT pk_dataright PRIMARY KEY, roleid integer NOT NULL, tableid integer NOT
    NULL, fieldid integer NOT NULL, relationtoowner integer NOT NULL, crud varchar(39) NOT NULL,
    encryptedcheck varchar(254) NOT NULL, registered timestamptz NOT NULL, registered_associate_id integer
    NOT NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT
    NULL
);
CREATE INDEX ix_dataright_roleid ON crm7.dataright (roleid);
CREATE UNIQUE INDEX ix_dataright_roleid_tableid_fieldid_relationtoowner
    ON crm7.dataright (roleid, tableid, fieldid, relationtoowner);

CREATE TABLE crm7.visiblefor (
    visiblefor_id integer CONSTRAINT pk_visiblefor PRIMARY KEY, tableid integer NOT NULL, recordid integer
    NOT NULL, forall integer NOT NULL, forgroupid integer NOT NULL, forassocid integer NOT NULL,
    encryptedcheck varchar(254) NOT NULL, appointmentid integer, saleid integer, salehistid integer,
    selectionid integer, registered timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated
    timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_visiblefor_appointmentid ON crm7.visiblefor (appointmentid);
CREATE INDEX ix_visiblefor_recordid_tableid ON crm7.visiblefor (recordid, tableid);
CREATE INDEX ix_visiblefor_salehistid ON crm7.visiblefor (salehistid);
CREATE INDEX ix_visiblefor_saleid ON crm7.visiblefor (saleid);
CREATE INDEX ix_visiblefor_selectionid ON crm7.visiblefor (selectionid);
CREATE INDEX ix_visiblefor_tableid_recordid_forall_forgroupid_forassocid
    ON crm7.visiblefor (tableid, recordid, forall, forgroupid, forassocid);

CREATE TABLE crm7.userpreference (
    userpreference_id integer CONSTRAINT pk_userpreference PRIMARY KEY, deflevel integer NOT NULL, maxlevel
    integer NOT NULL, owner_id integer NOT NULL, prefsection varchar(199) NOT NULL, prefkey varchar(199) NOT
    NULL, prefvalue varchar(2046), registered timestamptz NOT NULL, registered_associate_id integer NOT
    NULL, updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE INDEX ix_userpreference_deflevel ON crm7.userpreference (deflevel);
CREATE INDEX ix_userpreference_owner_id ON crm7.userpreference (owner_id);
CREATE INDEX ix_userpreference_prefkey ON crm7.userpreference (prefkey);
CREATE INDEX ix_userpreference_prefsection ON crm7.userpreference (prefsection);
CREATE INDEX ix_userpreference_prefsection_prefkey_deflevel_owner_id
    ON crm7.userpreference (prefsection, prefkey, deflevel, owner_id);

CREATE TABLE crm7.systemevent (
    systemevent_id integer CONSTRAINT pk_systemevent PRIMARY KEY, scope integer NOT NULL, owner integer NOT
    NULL, eventkey varchar(254), eventmess varchar(254), extrainfo integer, eta timestamp, registered
    timestamptz NOT NULL, registered_associate_id integer NOT NULL, updated timestamptz NOT NULL,
    updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
);
CREATE UNIQUE INDEX ix_systemevent_eventkey_scope_owner ON crm7.systemevent (eventkey, scope, owner);
"""


def _columns(kind: str, sql_type: str, first: int, last: int) -> str:
    return ", ".join(f"{kind}{position:02} {sql_type}" for position in range(first, last + 1))


def upgrade() -> None:
    op.execute(UPGRADE)
    for owner in OWNERS:
        small, large = f"ud{owner}small", f"ud{owner}large"
        op.execute(
            f"CREATE TABLE crm7.{small} ({small}_id integer CONSTRAINT pk_{small} PRIMARY KEY, "
            f"{_columns('long', 'integer', 1, 60)}, {_columns('string', 'varchar(39)', 1, 40)}, "
            f"{_columns('double', 'double precision', 1, 10)})"
        )
        op.execute(
            f"CREATE TABLE crm7.{large} ({large}_id integer CONSTRAINT pk_{large} PRIMARY KEY, "
            f"{_columns('string', 'varchar(199)', 41, 49)})"
        )
        for position in range(1, 5):
            for column in (f"long{position:02}", f"string{position:02}", f"double{position:02}"):
                op.execute(f"CREATE INDEX ix_{small}_{column} ON crm7.{small} ({column})")
            op.execute(f"CREATE INDEX ix_{large}_string{40 + position} ON crm7.{large} (string{40 + position})")
    number_tables(NUMBERS)


def downgrade() -> None:
    drop_numbered_tables(NUMBERS)
