"""Who gets a letter: one query over a selection's members, with the reason where somebody gets none.

The rules, in the order in which the query applies them: who is meant (company or person), whom the user may not
read, who must not be written to, one letter per company if so wished. Reasons are part of the rows, so nobody is left
out in silence.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, Connection, RowMapping, Table, literal_column, select, text

from batchtask import crm7
from worker.tasks.crm.addresses import Address, Country, first_filled
from worker.tasks.crm.collations import TextOrder
from worker.tasks.crm.fields import Expression
from worker.tasks.crm.rights import Reader
from worker.tasks.mail_merge.lookups import LOOKUPS
from worker.tasks.mail_merge.user_fields import user_field

_BATCH_ROWS = 500

#: Why somebody is left out, as the user reads it; the query gives the key.
REASONS = {
    "company-gone": "company no longer exists",
    "person-gone": "person no longer exists",
    "unreadable": "not yours to read",
    "deleted": "deleted",
    "retired": "retired",
    "elsewhere": "works for another company",
    "stopped": "stopped",
    "no-mailing": "no mailing",
    "blocked": "no electronic marketing",
    "no-consent": "no consent",
    "declined": "declined this kind of mailing",
    "company": "company without a person",
    "one-per-company": "somebody else at the company gets the letter",
    "no-address": "no address",
    "no-email": "no e-mail address",
    "skipped": "skipped by the template",
}

UNREADABLE = "unreadable"

_QUERY = """
WITH readable_contact AS NOT MATERIALIZED ({contacts}), readable_person AS NOT MATERIALIZED ({persons}), member AS (
    SELECT min(selectionmember_id) AS position, contact_id,
           CASE WHEN :mode = 'none' THEN 0 ELSE coalesce(person_id, 0) END AS person_id
      FROM crm7.selectionmember WHERE selection_id = :selection_id GROUP BY 2, 3
     UNION ALL SELECT 0, id, 0 FROM unnest(CAST(:contact_ids AS integer[])) AS id
     UNION ALL SELECT 0, coalesce(p.contact_id, 0), id
                 FROM unnest(CAST(:person_ids AS integer[])) AS id LEFT JOIN crm7.person p ON p.person_id = id
), addressee AS (
    -- A company stands for its first person, for all, or for itself, as the user sees them. LIMIT NULL is no limit.
    SELECT min(m.position) AS position, m.contact_id,
           CASE WHEN :prefer_company AND m.contact_id <> 0 THEN 0
                ELSE coalesce(nullif(m.person_id, 0), p.person_id, 0) END AS person_id
      FROM member m LEFT JOIN LATERAL (
           SELECT person_id FROM crm7.person
            WHERE contact_id = m.contact_id AND coalesce(retired, 0) = 0 AND deleteddate IS NULL
              AND EXISTS (SELECT FROM readable_person k WHERE k.person_id = person.person_id)
            ORDER BY rank, person_id LIMIT CASE WHEN :mode = 'first' THEN 1 END
      ) p ON m.person_id = 0 AND m.contact_id <> 0 AND :mode <> 'none'
     GROUP BY 2, 3
), judged AS (
    SELECT a.*, CASE
           WHEN a.contact_id <> 0 AND c.contact_id IS NULL THEN 'company-gone'
           WHEN a.person_id <> 0 AND p.person_id IS NULL THEN 'person-gone'
           WHEN a.contact_id <> 0 AND NOT EXISTS (
                SELECT FROM readable_contact k WHERE k.contact_id = a.contact_id) THEN 'unreadable'
           WHEN a.person_id <> 0 AND NOT EXISTS (
                SELECT FROM readable_person k WHERE k.person_id = a.person_id) THEN 'unreadable'
           WHEN c.deleted <> 0 OR c.deleteddate IS NOT NULL OR p.deleteddate IS NOT NULL THEN 'deleted'
           WHEN p.retired <> 0 THEN 'retired'
           WHEN p.contact_id <> a.contact_id THEN 'elsewhere'
           WHEN c.xstop <> 0 THEN 'stopped'
           WHEN c.nomailing <> 0 OR p.nomailing <> 0 THEN 'no-mailing'
           WHEN :electronic AND p.blockemarketing <> 0 THEN 'blocked'
           WHEN :consent_purpose_id <> 0 AND p.person_id <> 0 AND NOT EXISTS (
                SELECT FROM crm7.consentperson k
                 WHERE k.person_id = p.person_id AND k.consentpurpose_id = :consent_purpose_id) THEN 'no-consent'
           WHEN :shipment_type_id <> 0 AND EXISTS (
                SELECT FROM crm7.shipmenttypereservation v
                 WHERE v.person_id = p.person_id AND v.shipmenttype_id = :shipment_type_id) THEN 'declined'
           WHEN a.person_id = 0 AND NOT :include_companies THEN 'company'
           -- Whom no letter or mail can reach must not be the one at their company who gets it.
           WHEN :one_per_company AND :electronic AND coalesce(
                (SELECT ({email}) FROM (SELECT a.contact_id, a.person_id) r), '') = '' THEN 'no-email'
           WHEN :one_per_company AND NOT :electronic AND a.person_id <> 0 AND NOT EXISTS (
                SELECT FROM crm7.address k
                 WHERE btrim(concat(k.address1, k.address2, k.address3, k.zipcode, k.city)) <> ''
                   AND (k.owner_id = a.contact_id AND k.atype_idx IN (1, 2)
                        OR k.owner_id = a.person_id AND k.atype_idx = 16387
                        AND (a.contact_id = 0 OR p.usepersonaddress = 1))) THEN 'no-address'
           END AS reason, p.rank
      FROM addressee a
      LEFT JOIN crm7.contact c ON c.contact_id = a.contact_id
      LEFT JOIN crm7.person p ON p.person_id = a.person_id
), ranked AS (
    SELECT position, contact_id, person_id, reason,
           row_number() OVER (PARTITION BY contact_id, reason IS NULL ORDER BY rank, person_id) AS place
      FROM judged
)
SELECT count(*) OVER () AS total,
       CASE WHEN r.reason IS NULL AND :one_per_company AND r.contact_id <> 0 AND r.place > 1
            THEN 'one-per-company' ELSE r.reason END AS reason,
       r.contact_id, r.person_id, c.name, c.department, c.number1, c.number2, c.orgnr, c.country_id,
       p.firstname, p.middlename, p.lastname, p.mrmrs, p.title, p.salutation, p.initials, p.person_number,
       p.department AS person_department, p.retired, p.post1, p.post2, p.post3, c.supportpersonid,
       p.supportlanguageid, p.year_of_birth, p.month_of_birth, p.day_of_birth,
       coalesce(p.country_id, h.country_id, 0) AS home_country_id,
       {uses_home} AS uses_home,
       postal.address1 AS postal1, postal.address2 AS postal2, postal.address3 AS postal3,
       postal.zipcode AS postal_zip, postal.city AS postal_city, postal.county AS postal_county,
       postal.state AS postal_state,
       street.address1 AS street1, street.address2 AS street2, street.address3 AS street3,
       street.zipcode AS street_zip, street.city AS street_city, street.county AS street_county,
       street.state AS street_state,
       home.address1 AS home1, home.address2 AS home2, home.address3 AS home3,
       home.zipcode AS home_zip, home.city AS home_city, home.county AS home_county, home.state AS home_state
       {lookups}
  FROM ranked r
  -- Whom the user may not read goes by number only.
  LEFT JOIN crm7.contact c ON c.contact_id = r.contact_id AND r.reason IS DISTINCT FROM 'unreadable'
  LEFT JOIN crm7.person p ON p.person_id = r.person_id AND r.reason IS DISTINCT FROM 'unreadable'
  -- A letter to the company itself goes to the person whose address the company uses, if there is one.
  LEFT JOIN LATERAL (
       SELECT person_id, country_id FROM crm7.person
        WHERE contact_id = r.contact_id AND usepersonaddress = 1 AND coalesce(retired, 0) = 0
          AND deleteddate IS NULL
          AND EXISTS (SELECT FROM readable_person k WHERE k.person_id = person.person_id)
        ORDER BY rank, person_id LIMIT 1
  ) h ON r.person_id = 0 AND r.contact_id <> 0
  LEFT JOIN crm7.address postal ON postal.owner_id = r.contact_id AND postal.atype_idx = 1
  LEFT JOIN crm7.address street ON street.owner_id = r.contact_id AND street.atype_idx = 2
  LEFT JOIN crm7.address home
         ON home.owner_id = coalesce(nullif(r.person_id, 0), h.person_id) AND home.atype_idx = 16387
  LEFT JOIN crm7.udcontactsmall cs ON cs.udcontactsmall_id = c.userdef_id
  LEFT JOIN crm7.udcontactlarge cl ON cl.udcontactlarge_id = c.userdef2_id
  LEFT JOIN crm7.udpersonsmall ps ON ps.udpersonsmall_id = p.userdef_id
  LEFT JOIN crm7.udpersonlarge pl ON pl.udpersonlarge_id = p.userdef2_id
 ORDER BY {order}, r.contact_id, r.person_id
"""

_USES_HOME = "(r.contact_id = 0 OR r.person_id = 0 OR p.usepersonaddress = 1)"
#: The address that `_recipient` chooses, as the database sees it.
_FILLED = "btrim(concat({0}.address1, {0}.address2, {0}.address3, {0}.zipcode, {0}.city)) <> ''"
_AT_HOME = f"{_USES_HOME} AND {_FILLED.format('home')}"
_COUNTRY = (
    f"CASE WHEN {_AT_HOME} THEN coalesce(nullif(p.country_id, 0), nullif(h.country_id, 0), c.country_id) "
    "ELSE c.country_id END"
)
_POSTCODE = (
    f"CASE WHEN {_AT_HOME} THEN home.zipcode WHEN {_FILLED.format('postal')} THEN postal.zipcode "
    "ELSE street.zipcode END"
)
_ORDERS = {
    "company": ("c.name", "c.department", "p.lastname", "p.firstname"),
    "person": ("p.lastname", "p.firstname", "c.name"),
    "postcode": (_COUNTRY, _POSTCODE, "c.name"),
    "selection": ("r.position",),
}
_TEXTS = {"c.name", "c.department", "p.lastname", "p.firstname"}  # are sorted by the letters' language


_EMAIL = "atem"  # of the person, else of the company
_USER_DEFINED_TABLES = {"c": "c", "a": "p"}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Whose members, and how they are turned into recipients."""

    selection_id: int
    contact_ids: tuple[int, ...]
    person_ids: tuple[int, ...]
    mode: str  #: first, all or none
    include_companies: bool
    prefer_company: bool
    one_per_company: bool
    sorting: str
    order: TextOrder  #: of names
    reader: Reader  #: with whose rights
    consent_purpose_id: int = 0  #: a person must have consented to it; 0 = to nothing
    shipment_type_id: int = 0  #: of the mailing; who declined it is left out; 0 = of no kind
    electronic: bool = False  #: goes by e-mail: an address of that kind counts, and who blocked such mail is left out


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One row of the query, with its address chosen."""

    row: RowMapping
    total: int  #: of all recipients, those left out included
    address: Address
    street: Address
    home: Address
    reason: str  #: a key of `REASONS`, or "" for one who gets a letter

    @property
    def identity(self) -> tuple[int, int]:
        """Company and person, by number; 0 for none. The query gives each pair once."""
        return self.row["contact_id"], self.row["person_id"]

    @property
    def label(self) -> str:
        """Name the recipient in the log."""
        row = self.row
        person = " ".join(part for part in (row["firstname"], row["lastname"]) if part)
        named = ", ".join(part for part in (row["name"], person) if part)
        return f"{named or 'recipient'} (company {row['contact_id']}, person {row['person_id']})"


def is_lookup(name: str) -> bool:
    """True if the database answers this variable by itself."""
    return lookup(name) is not None


def lookup(name: str) -> str | None:
    found = user_field(name)
    if found is None:
        return LOOKUPS.get(name)
    table = _USER_DEFINED_TABLES.get(found.letter)
    return f"SELECT {table}{'l' if found.is_large else 's'}.{found.column}" if table else None


def find_recipients(
    connection: Connection, choice: Choice, names: Iterable[str], countries: dict[int, Country]
) -> Generator[Recipient, None, None]:
    """Ask for all recipients in order, a few hundred rows at a time; of the variables, look up only `names`."""
    parameters: dict[str, Any] = {
        "selection_id": choice.selection_id,
        "contact_ids": list(choice.contact_ids),
        "person_ids": list(choice.person_ids),
        "mode": choice.mode,
        "include_companies": choice.include_companies,
        "prefer_company": choice.prefer_company,
        "one_per_company": choice.one_per_company,
        "consent_purpose_id": choice.consent_purpose_id,
        "shipment_type_id": choice.shipment_type_id,
        "electronic": choice.electronic,
    }
    if choice.electronic:
        names = {*names, _EMAIL}
    streaming = connection.execution_options(yield_per=_BATCH_ROWS)
    with streaming.execute(_statement(connection, choice, names), parameters) as rows:
        for row in rows.mappings():
            yield _recipient(row, countries, choice)


def _statement(connection: Connection, choice: Choice, names: Iterable[str]) -> Any:
    lookups = "".join(f', ({query}) AS "{name}"' for name in sorted(names) if (query := lookup(name)))
    readable = {
        f"{table.name}s": _readable(connection, choice.reader, table) for table in (crm7.contact, crm7.person)
    }
    order = ", ".join(_in_sql(connection, key) for key in _order(choice))
    return text(_QUERY.format(lookups=lookups, email=LOOKUPS[_EMAIL], uses_home=_USES_HOME, order=order, **readable))


def _order(choice: Choice) -> Iterator[Expression]:
    for part in _ORDERS[choice.sorting]:
        key: Expression = literal_column(part)
        yield from choice.order.keys(key) if part in _TEXTS else [key]


def _readable(connection: Connection, reader: Reader, table: Table) -> str:
    """Select the numbers of the rows that somebody may read."""
    query = select(table.c[f"{table.name}_id"]).where(reader.sees(table.name, table))
    return _in_sql(connection, query)


def _in_sql(connection: Connection, what: ClauseElement) -> str:
    return str(what.compile(connection, compile_kwargs={"literal_binds": True}))


def _recipient(row: RowMapping, countries: dict[int, Country], choice: Choice) -> Recipient:
    company = countries.get(row["country_id"] or 0, Country())
    at_home = countries.get(row["home_country_id"], company)
    postal, street = _address(row, "postal", company), _address(row, "street", company)
    home = _address(row, "home", at_home)
    address = first_filled((home, postal, street) if row["uses_home"] else (postal, street))
    reason = row["reason"] or _unreachable(row, address, choice)
    return Recipient(row=row, total=row["total"], address=address, street=street, home=home, reason=reason)


def _unreachable(row: RowMapping, address: Address, choice: Choice) -> str:
    if choice.electronic:
        return "" if row[_EMAIL] else "no-email"
    return "" if address else "no-address"


def _address(row: RowMapping, kind: str, country: Country) -> Address:
    fields = ("1", "2", "3", "_zip", "_city", "_county", "_state")
    line1, line2, line3, zipcode, city, county, state = ((row[kind + field] or "").strip() for field in fields)
    return Address(
        line1=line1,
        line2=line2,
        line3=line3,
        zipcode=zipcode,
        city=city,
        county=county,
        state=state,
        country=country,
    )
