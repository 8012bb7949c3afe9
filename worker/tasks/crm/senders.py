"""What is the same in every letter: the user who signs, the own company, the selection, countries and layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, select, text

from batchtask import crm7
from worker.tasks.crm.addresses import Country, Layouts
from worker.tasks.crm.rights import Reader

_SENDER = text("""
SELECT s.associate_id, s.name AS login, concat_ws(' ', nullif(p.firstname, ''), nullif(p.middlename, ''),
       nullif(p.lastname, '')) AS full_name, p.mrmrs, p.title, c.contact_id, c.name, c.department, c.orgnr,
       c.country_id,
       coalesce(nullif(postal.address1, ''), street.address1) AS address1, postal.address2, postal.address3,
       coalesce(nullif(postal.zipcode, ''), street.zipcode) AS zipcode,
       coalesce(nullif(postal.city, ''), street.city) AS city,
       postal.county, postal.state, street.address1 AS street1, street.zipcode AS street_zip,
       street.city AS street_city, p.person_id, p.salutation, p.person_number,
       p.year_of_birth, p.month_of_birth, p.day_of_birth,
       home.address1 AS home1, home.address2 AS home2, home.address3 AS home3, home.zipcode AS home_zip,
       home.city AS home_city, home.county AS home_county, home.state AS home_state,
       concat_ws(', ', nullif(home.city, ''), nullif(concat_ws(' ', nullif(home.state, ''), home.zipcode), ''))
         AS home_city_state_zip,
       concat_ws(', ', coalesce(nullif(postal.city, ''), nullif(street.city, '')), nullif(concat_ws(' ',
         nullif(postal.state, ''), coalesce(nullif(postal.zipcode, ''), street.zipcode)), '')) AS city_state_zip,
       concat_ws(' ', nullif(postal.county, ''), coalesce(nullif(postal.zipcode, ''), street.zipcode)) AS county_zip,
       (SELECT name FROM crm7.country WHERE country_id = p.country_id) AS home_country,
       (SELECT phone FROM crm7.phone WHERE owner_id = p.person_id AND ptype_idx = 16387
         ORDER BY rank, phone_id LIMIT 1) AS fax,
       (SELECT phone FROM crm7.phone WHERE owner_id = p.person_id AND ptype_idx = 16388
         ORDER BY rank, phone_id LIMIT 1) AS home_phone,
       (SELECT phone FROM crm7.phone WHERE owner_id = p.person_id AND ptype_idx = 16390
         ORDER BY rank, phone_id LIMIT 1) AS pager,
       chat.email_address AS chat, chat.email_id AS chat_id, chat.protocol AS chat_protocol,
       voip.email_address AS voip, voip.email_id AS voip_id, voip.description AS voip_service,
       own_web.url_address AS own_web, own_web.url_id AS own_web_id,
       (SELECT dialinprefix FROM crm7.country WHERE country_id = coalesce(nullif(p.country_id, 0), c.country_id))
         AS dial_prefix,
       (SELECT dialinprefix FROM crm7.country WHERE country_id = c.country_id) AS company_dial_prefix,
       (SELECT regexp_replace(url_address, '^[A-Za-z]+://', '') FROM crm7.url WHERE contact_id = c.contact_id
         ORDER BY rank, url_id LIMIT 1) AS web_name,
       to_jsonb(us) AS us, to_jsonb(ul) AS ul, to_jsonb(os) AS os, to_jsonb(ol) AS ol,
       (SELECT name FROM crm7.perspos WHERE perspos_id = p.position_idx) AS position,
       (SELECT email_address FROM crm7.email WHERE person_id = p.person_id AND type = 0
         ORDER BY rank, email_id LIMIT 1) AS email,
       (SELECT phone FROM crm7.phone WHERE owner_id = p.person_id AND ptype_idx = 16385
         ORDER BY rank, phone_id LIMIT 1) AS phone,
       (SELECT phone FROM crm7.phone WHERE owner_id = p.person_id AND ptype_idx = 16389
         ORDER BY rank, phone_id LIMIT 1) AS mobile,
       (SELECT email_address FROM crm7.email WHERE contact_id = c.contact_id ORDER BY rank, email_id LIMIT 1)
         AS company_email,
       (SELECT phone FROM crm7.phone WHERE owner_id = c.contact_id AND ptype_idx = 1
         ORDER BY rank, phone_id LIMIT 1) AS company_phone,
       (SELECT phone FROM crm7.phone WHERE owner_id = c.contact_id AND ptype_idx = 3
         ORDER BY rank, phone_id LIMIT 1) AS company_fax,
       (SELECT url_address FROM crm7.url WHERE contact_id = c.contact_id ORDER BY rank, url_id LIMIT 1) AS web
  FROM crm7.associate s
  LEFT JOIN crm7.person p ON p.person_id = s.person_id
  LEFT JOIN crm7.contact c ON c.contact_id = p.contact_id
  LEFT JOIN crm7.address postal ON postal.owner_id = c.contact_id AND postal.atype_idx = 1
  LEFT JOIN crm7.address street ON street.owner_id = c.contact_id AND street.atype_idx = 2
  LEFT JOIN crm7.address home ON home.owner_id = p.person_id AND home.atype_idx = 16387
  LEFT JOIN crm7.udpersonsmall us ON us.udpersonsmall_id = p.userdef_id
  LEFT JOIN crm7.udpersonlarge ul ON ul.udpersonlarge_id = p.userdef2_id
  LEFT JOIN crm7.udcontactsmall os ON os.udcontactsmall_id = c.userdef_id
  LEFT JOIN crm7.udcontactlarge ol ON ol.udcontactlarge_id = c.userdef2_id
  LEFT JOIN LATERAL (SELECT * FROM crm7.email WHERE person_id = p.person_id AND type = 1
                      ORDER BY rank, email_id LIMIT 1) chat ON true
  LEFT JOIN LATERAL (SELECT * FROM crm7.email WHERE person_id = p.person_id AND type = 2
                      ORDER BY rank, email_id LIMIT 1) voip ON true
  LEFT JOIN LATERAL (SELECT * FROM crm7.url WHERE person_id = p.person_id ORDER BY rank, url_id LIMIT 1) own_web
         ON true
 WHERE s.associate_id = :associate_id
""")

_USER = text("""
SELECT s.associate_id AS usid, s.name AS user, p.firstname AS usfn, p.middlename AS usmn, p.lastname AS usln,
       (SELECT email_address FROM crm7.email WHERE person_id = p.person_id AND type = 0
         ORDER BY rank, email_id LIMIT 1) AS usem
  FROM crm7.associate s LEFT JOIN crm7.person p ON p.person_id = s.person_id WHERE s.associate_id = :associate_id
""")
#: Variables of whoever submitted the task, who need not be the one who signs.
USER_VARIABLES = frozenset({"usid", "user", "usfn", "usmn", "usln", "usem"})

#: Sender variables and where their value stands in the row above.
SENDER_VARIABLES = {
    "auth": "full_name", "aumr": "mrmrs", "atit": "title", "aupo": "position", "auem": "email", "audp": "phone",
    "aupc": "mobile", "alid": "login", "aaid": "associate_id", "onam": "name", "odep": "department",
    "oorg": "orgnr", "owid": "contact_id", "opad": "address1", "opa2": "address2", "opa3": "address3",
    "ozip": "zipcode", "ocit": "city", "ocnt": "county", "osta": "state", "osad": "street1", "oszi": "street_zip",
    "auid": "person_id", "auac": "salutation", "aunm": "person_number", "aup1": "home1",
    "aup2": "home2", "aup3": "home3", "aums": "home3", "auzi": "home_zip", "auci": "home_city",
    "aucy": "home_county", "aust": "home_state", "aucs": "home_city_state_zip", "aucn": "home_country",
    "audf": "fax", "auph": "home_phone", "aupp": "pager", "auca": "chat", "auvo": "voip", "auww": "own_web",
    "aucd": "chat_id", "aucp": "chat_protocol", "auvi": "voip_id", "auvs": "voip_service", "auwi": "own_web_id",
    "alun": "login", "ocsz": "city_state_zip", "oczi": "county_zip", "ownp": "web_name",
    "osct": "street_city", "oema": "company_email", "opho": "company_phone", "ofax": "company_fax", "owww": "web",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who signs, and for which company; empty if nobody is known."""

    values: dict[str, str]  #: of `SENDER_VARIABLES`
    country_id: int
    birth_date: date | None = None
    dial_prefix: str = ""  #: of the person's country
    company_dial_prefix: str = ""
    #: Stored values of user-defined fields, by variable: `ul01` is the person's, `ol01` the company's.
    user_fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SelectionRow:
    """What a selection says about its recipients."""

    name: str
    mode: str  #: first, all or none
    one_per_company: bool


def load_sender(connection: Connection, associate_id: int) -> Sender:
    row: Any = connection.execute(_SENDER, {"associate_id": associate_id}).mappings().first() or {}
    values = {name: str(row.get(column) or "") for name, column in SENDER_VARIABLES.items()}
    return Sender(
        values=values,
        country_id=row.get("country_id") or 0,
        birth_date=birth_date(row),
        dial_prefix=row.get("dial_prefix") or "",
        company_dial_prefix=row.get("company_dial_prefix") or "",
        user_fields=_user_fields(row),
    )


def birth_date(row: Any) -> date | None:
    """Read a person's date of birth; None if a part of it is missing or it is none."""
    parts = row.get("year_of_birth"), row.get("month_of_birth"), row.get("day_of_birth")
    try:
        return date(*parts) if all(parts) else None
    except ValueError:
        return None


def _user_fields(row: Any) -> dict[str, Any]:
    stored = {letter: (row.get(f"{letter}s") or {}) | (row.get(f"{letter}l") or {}) for letter in ("u", "o")}
    kinds = {"long": "l", "string": "s", "double": "f"}
    return {
        f"{letter}{kinds[column[:-2]]}{column[-2:]}": value
        for letter, columns in stored.items()
        for column, value in columns.items()
        if column[:-2] in kinds
    }


def load_user(connection: Connection, associate_id: int) -> dict[str, str]:
    """Return the values of `USER_VARIABLES`; none for the system's own tasks."""
    row: Any = connection.execute(_USER, {"associate_id": associate_id}).mappings().first() or {}
    return {name: str(value or "") for name, value in row.items()}


def load_selection(connection: Connection, selection_id: int, reader: Reader) -> SelectionRow | None:
    """Read a selection; None if there is none of that number that somebody may read."""
    table = crm7.selection.c
    columns = select(table.name, table.includeperson, table.companyunique)
    readable = reader.sees_selection(crm7.selection)
    row = connection.execute(columns.where(table.selection_id == selection_id, readable)).first()
    if row is None:
        return None
    mode = {1: "all", 2: "none"}.get(row.includeperson or 0, "first")
    return SelectionRow(name=row.name, mode=mode, one_per_company=bool(row.companyunique))


def load_countries(connection: Connection) -> dict[int, Country]:
    return {
        row.country_id: Country(
            name=row.name,
            english_name=row.english_name or row.name,
            code=row.abbrev2 or (row.domainname or "").upper(),
            zip_prefix=row.zip_prefix or "",
            domestic_layout=row.addresslayoutdomestic,
            foreign_layout=row.addresslayoutforeign,
        )
        for row in connection.execute(select(crm7.country))
    }


def load_layouts(connection: Connection, own_country: Country) -> Layouts:
    """Read the label texts. A layout has a row per kind of address; the postal one is written on letters."""
    table = crm7.addressformat.c
    label = func.coalesce(table.labellayout, "") + func.coalesce(table.labellayout2, "")
    rows = connection.execute(select(table.layout_id, label).order_by(table.layout_id, table.atype_idx.desc()))
    return Layouts(labels=dict(rows.all()), own_country=own_country.code)
