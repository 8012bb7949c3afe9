"""What is the same in every letter: the user who signs, the own company, the selection, countries and layouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from batchtask import crm7
from worker.tasks.crm.addresses import Country, Layouts

_SENDER = text("""
SELECT s.associate_id, s.name AS login, concat_ws(' ', nullif(p.firstname, ''), nullif(p.middlename, ''),
       nullif(p.lastname, '')) AS full_name, p.mrmrs, p.title, c.contact_id, c.name, c.department, c.orgnr,
       c.country_id,
       coalesce(postal.address1, street.address1) AS address1, postal.address2, postal.address3,
       coalesce(postal.zipcode, street.zipcode) AS zipcode, coalesce(postal.city, street.city) AS city,
       postal.county, postal.state, street.address1 AS street1, street.zipcode AS street_zip,
       street.city AS street_city,
       (SELECT name FROM crm7.perspos WHERE perspos_id = p.position_idx) AS position,
       (SELECT email_address FROM crm7.email WHERE person_id = p.person_id ORDER BY rank, email_id LIMIT 1) AS email,
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
 WHERE s.associate_id = :associate_id
""")

#: Sender variables and where their value stands in the row above.
SENDER_VARIABLES = {
    "auth": "full_name", "aumr": "mrmrs", "atit": "title", "aupo": "position", "auem": "email", "audp": "phone",
    "aupc": "mobile", "alid": "login", "aaid": "associate_id", "onam": "name", "odep": "department",
    "oorg": "orgnr", "owid": "contact_id", "opad": "address1", "opa2": "address2", "opa3": "address3",
    "ozip": "zipcode", "ocit": "city", "ocnt": "county", "osta": "state", "osad": "street1", "oszi": "street_zip",
    "osct": "street_city", "oema": "company_email", "opho": "company_phone", "ofax": "company_fax", "owww": "web",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who signs, and for which company; empty if nobody is known."""

    values: dict[str, str]  #: of `SENDER_VARIABLES`
    country_id: int


@dataclass(frozen=True, kw_only=True)
class SelectionRow:
    """What a selection says about its recipients."""

    name: str
    mode: str  #: first, all or none
    one_per_company: bool


def load_sender(connection: Connection, associate_id: int) -> Sender:
    row: Any = connection.execute(_SENDER, {"associate_id": associate_id}).mappings().first() or {}
    values = {name: str(row.get(column) or "") for name, column in SENDER_VARIABLES.items()}
    return Sender(values=values, country_id=row.get("country_id") or 0)


def load_selection(connection: Connection, selection_id: int) -> SelectionRow | None:
    """Read a selection; None if there is none of that number."""
    table = crm7.selection.c
    columns = select(table.name, table.includeperson, table.companyunique)
    row = connection.execute(columns.where(table.selection_id == selection_id)).first()
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
