"""The CRM tables that tasks read: people, companies, selections, lists, user-defined fields."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AUDIT = """
    registered timestamptz NOT NULL, registered_associate_id integer NOT NULL,
    updated timestamptz NOT NULL, updated_associate_id integer NOT NULL, updatedcount integer NOT NULL
"""

# Where a field stands on the screen: the same seven columns for each field of an address.
FIELD_LAYOUTS = ", ".join(
    f"{field}_line integer NOT NULL, {field}_subpos integer NOT NULL, {field}_leadtext integer NOT NULL, "
    f"{field}_zip integer NOT NULL, {field}_length integer NOT NULL, {field}_flags integer NOT NULL, "
    f"{field}_mask varchar(9) NOT NULL"
    for field in ("address1", "address2", "address3", "city", "county", "state", "zip")
)

TABLES = {
    "associate": f"""
        associate_id integer CONSTRAINT pk_associate PRIMARY KEY, name varchar(239) NOT NULL,
        rank integer, deleted integer, type integer, tooltip varchar(254), username varchar(254),
        group_idx integer NOT NULL, person_id integer NOT NULL, lastlogin timestamp NOT NULL,
        lastlogout timestamp NOT NULL, checklistlimit timestamp NOT NULL, userflags varchar(127),
        islocation smallint, tzlocationid integer, ejuserid integer, locationaddress varchar(239),
        encryptedcheck varchar(254) NOT NULL, waiting_for_approval smallint NOT NULL, {AUDIT}
    """,
    "contact": f"""
        contact_id integer CONSTRAINT pk_contact PRIMARY KEY, name varchar(219) NOT NULL,
        department varchar(219), kananame varchar(219), number1 varchar(49), number2 varchar(49),
        orgnr varchar(49), country_id integer NOT NULL, business_idx integer NOT NULL,
        category_idx integer NOT NULL, associate_id integer, text_id integer, mother_id integer,
        group_id integer, tzlocationid integer, userdef_id integer, userdef2_id integer, xstop smallint,
        nomailing smallint, soundex varchar(9), source integer, activeinterests integer, deleted integer,
        ticketpriorityid integer, supportlanguageid integer, supportassociateid integer,
        supportpersonid integer, dbi_agent_id integer, dbi_key varchar(255),
        dbi_last_syncronized timestamp, dbi_last_modified timestamp, activeerplinks integer,
        deleteddate timestamptz, {AUDIT}
    """,
    "person": f"""
        person_id integer CONSTRAINT pk_person PRIMARY KEY, contact_id integer NOT NULL,
        rank integer NOT NULL, firstname varchar(99) NOT NULL, lastname varchar(99),
        middlename varchar(99), kanalname varchar(99), kanafname varchar(99), post1 varchar(99),
        post2 varchar(99), post3 varchar(99), mrmrs varchar(239), title varchar(239),
        salutation varchar(239), initials varchar(63), department varchar(254), person_number varchar(49),
        year_of_birth integer, month_of_birth integer, day_of_birth integer, gender integer,
        usepersonaddress integer, retired integer, phone_present integer, source integer,
        activeinterests integer, sentinfo integer, showcontacttickets integer, nomailing smallint,
        blockemarketing smallint, country_id integer NOT NULL, business_idx integer NOT NULL,
        category_idx integer NOT NULL, position_idx integer, text_id integer, userdef_id integer,
        userdef2_id integer, associate_id integer, group_id integer, tzlocationid integer,
        ticketpriorityid integer, supportlanguageid integer, supportassociateid integer,
        dbi_agent_id integer, dbi_key varchar(255), dbi_last_syncronized timestamp,
        dbi_last_modified timestamp, activeerplinks integer, deleteddate timestamptz, {AUDIT}
    """,
    "address": f"""
        address_id integer CONSTRAINT pk_address PRIMARY KEY, owner_id integer NOT NULL,
        atype_idx integer NOT NULL, zipcode varchar(11) NOT NULL, address1 varchar(79),
        address2 varchar(79), address3 varchar(79), city varchar(79), county varchar(29),
        state varchar(5), validfrom timestamp, validto timestamp, wgs84latitude float8,
        wgs84longitude float8, {AUDIT}
    """,
    "phone": f"""
        phone_id integer CONSTRAINT pk_phone PRIMARY KEY, owner_id integer NOT NULL,
        ptype_idx integer NOT NULL, phone varchar(239) NOT NULL, rank integer, description varchar(99),
        validfrom timestamp, validto timestamp, searchphonenumber varchar(239), {AUDIT}
    """,
    "country": f"""
        country_id integer CONSTRAINT pk_country PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
        deleted integer, tooltip varchar(254), english_name varchar(39), zip_prefix varchar(5),
        addresslayout integer NOT NULL, addresslayoutdomestic integer NOT NULL,
        addresslayoutforeign integer NOT NULL, flagres_id bigint, defaultlcid bigint, isonumber bigint,
        currency_id integer, tzlocationid integer, orgnrtext varchar(254), customphonedesc varchar(254),
        domainname varchar(9), dialinprefix varchar(31), dialoutprefix varchar(31),
        interareaprefix varchar(31), phonepartofna smallint, isbuiltin smallint, abbrev3 varchar(3),
        abbrev2 varchar(2), {AUDIT}
    """,
    "selection": f"""
        selection_id integer CONSTRAINT pk_selection PRIMARY KEY, associate_id integer NOT NULL,
        group_idx integer NOT NULL, name varchar(219) NOT NULL, text_id integer, postittext_id integer,
        searchcat_id integer, visibility integer, seltype integer, companyunique integer, source integer,
        includeperson integer, soundex varchar(9), membercount bigint, targettablenumber integer NOT NULL,
        done smallint, combinationtype integer, systemtype integer, leftselectionid integer,
        rightselectionid integer, dashboard_tile_definition_id integer, chartkey varchar(254),
        lastloaded timestamp, lastmembershipchange timestamp, lastloadedby integer,
        lastmembershipchangeby integer, {AUDIT}
    """,
    "selectionmember": """
        selectionmember_id integer CONSTRAINT pk_selectionmember PRIMARY KEY,
        selection_id integer NOT NULL, contact_id integer NOT NULL, person_id integer,
        targetrecordid integer, targettablenumber integer
    """,
    "url": f"""
        url_id integer CONSTRAINT pk_url PRIMARY KEY, contact_id integer, person_id integer,
        project_id integer, reserved_id1 integer, reserved_id2 integer, type integer NOT NULL,
        rank integer NOT NULL, description varchar(254) NOT NULL, url_address varchar(1023) NOT NULL,
        {AUDIT}
    """,
    "email": f"""
        email_id integer CONSTRAINT pk_email PRIMARY KEY, contact_id integer, person_id integer,
        project_id integer, reserved_id1 integer, reserved_id2 integer, protocol varchar(11),
        type integer NOT NULL, rank integer NOT NULL, description varchar(254) NOT NULL,
        email_address varchar(239) NOT NULL, bouncecount integer, lastbouncecode integer,
        lastbounce timestamp, lastsent timestamp, lastbouncereason varchar(4000), dbi_agent_id integer,
        appointment_id integer, {AUDIT}
    """,
    "addressformat": f"""
        addressformat_id integer CONSTRAINT pk_addressformat PRIMARY KEY, name varchar(239) NOT NULL,
        layout_id integer NOT NULL, atype_idx integer NOT NULL, {FIELD_LAYOUTS},
        extraflags bigint NOT NULL, labellayout varchar(254), labellayout2 varchar(254),
        isbuiltin smallint, {AUDIT}
    """,
    "business": f"""
        business_id integer CONSTRAINT pk_business PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
        deleted integer, tooltip varchar(254), {AUDIT}
    """,
    "category": f"""
        category_id integer CONSTRAINT pk_category PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
        deleted integer, tooltip varchar(254), categoryfamily_id integer, category_group integer,
        enable_lead_status smallint, {AUDIT}
    """,
    "perspos": f"""
        perspos_id integer CONSTRAINT pk_perspos PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
        deleted integer, tooltip varchar(254), {AUDIT}
    """,
    "doctmpl": f"""
        doctmpl_id integer CONSTRAINT pk_doctmpl PRIMARY KEY, name varchar(239) NOT NULL, rank integer,
        deleted integer, tooltip varchar(254), filename varchar(239) NOT NULL, autoevent_id integer,
        direction integer, saveindb integer, defaultpublishtype integer, record_type integer NOT NULL,
        default_oref varchar(239), regkey_open varchar(239), regkey_edit varchar(239),
        regkey_print varchar(239), accelerator varchar(239), intentid integer, mimetype varchar(254),
        loadtemplatefromplugin integer, quotedoctype integer, privacydoctype integer,
        invitationdoctype integer, emailsubject varchar(4000), includesignature smallint,
        showcurrents smallint, senderemailmode integer, senderemailaddress varchar(256), {AUDIT}
    """,
}


def _user_defined(name: str) -> str:
    if name.endswith("large"):
        strings = [f"string{position} varchar(199)" for position in range(41, 50)]
        return ", ".join([f"{name}_id integer CONSTRAINT pk_{name} PRIMARY KEY", *strings])
    columns = [f"long{position:02} integer" for position in range(1, 61)]
    columns += [f"string{position:02} varchar(39)" for position in range(1, 41)]
    columns += [f"double{position:02} float8" for position in range(1, 11)]
    return ", ".join([f"{name}_id integer CONSTRAINT pk_{name} PRIMARY KEY", *columns])


USER_DEFINED = ("udcontactsmall", "udcontactlarge", "udpersonsmall", "udpersonlarge")
TABLES |= {name: _user_defined(name) for name in USER_DEFINED}

# "a+b" is one index over two columns.
UNIQUE = {
    "associate": "name",
    "address": "owner_id+atype_idx",
    "country": "name",
    "business": "name",
    "category": "name",
    "perspos": "name",
    "doctmpl": "name",
}

INDEXES = {
    "associate": "person_id type",
    "contact": """
        business_idx category_idx dbi_agent_id dbi_key dbi_last_modified dbi_last_syncronized deleteddate
        department kananame mother_id name name+department number1 number2 orgnr soundex source
        supportpersonid userdef2_id userdef_id
    """,
    "person": """
        business_idx category_idx contact_id contact_id+rank dbi_agent_id dbi_key dbi_last_modified
        dbi_last_syncronized deleteddate firstname kanafname kanalname lastname middlename person_number
        source userdef2_id userdef_id
    """,
    "address": "state zipcode",
    "phone": "owner_id+ptype_idx rank searchphonenumber",
    "country": "english_name",
    "selection": "associate_id done group_idx name soundex source",
    "selectionmember": "contact_id contact_id+person_id person_id selection_id selection_id+contact_id",
    "url": "contact_id person_id project_id rank reserved_id1 reserved_id2 url_address",
    "email": "appointment_id contact_id dbi_agent_id email_address person_id project_id protocol rank",
}
INDEXES |= {
    name: " ".join(f"{kind}{position:02}" for kind in ("long", "string", "double") for position in range(1, 5))
    for name in ("udcontactsmall", "udpersonsmall")
}
INDEXES |= dict.fromkeys(("udcontactlarge", "udpersonlarge"), "string41 string42 string43 string44")

# Names as the CRM writes them there.
NUMBERS = {
    "associate": 2,
    "contact": 5,
    "person": 6,
    "address": 7,
    "phone": 8,
    "country": 19,
    "selection": 23,
    "selectionmember": 24,
    "URL": 54,
    "Email": 55,
    "AddressFormat": 57,
    "Business": 61,
    "Category": 64,
    "PersPos": 76,
    "DocTmpl": 130,
    "udcontactSmall": 35,
    "udcontactLarge": 36,
    "udpersonSmall": 140,
    "udpersonLarge": 141,
}


def upgrade() -> None:
    for name, columns in TABLES.items():
        op.execute(f"CREATE TABLE crm7.{name} ({columns})")
    for name, column_names in UNIQUE.items():
        _index(name, column_names, unique=True)
    for name, indexes in INDEXES.items():
        for column_names in indexes.split():
            _index(name, column_names, unique=False)
    op.bulk_insert(_sequence(), [_sequence_row(name, number) for name, number in NUMBERS.items()])


def downgrade() -> None:
    sequence = _sequence()
    op.execute(sa.delete(sequence).where(sequence.c.tablenumber.in_(NUMBERS.values())))
    for name in TABLES:
        op.execute(f"DROP TABLE crm7.{name}")


def _index(table_name: str, column_names: str, *, unique: bool) -> None:
    columns = column_names.split("+")
    op.create_index(f"ix_{table_name}_{'_'.join(columns)}", table_name, columns, unique=unique, schema="crm7")


def _sequence() -> sa.TableClause:
    columns = (sa.column(name) for name in ("id", "next_id", "tablename", "tablenumber"))
    return sa.table("sequence", *columns, schema="crm7")


def _sequence_row(name: str, number: int) -> dict[str, object]:
    """Describe a table to the CRM's id allocation; the row's own id is the table's number plus ten."""
    return {"id": number + 10, "next_id": 1, "tablename": name, "tablenumber": number}
