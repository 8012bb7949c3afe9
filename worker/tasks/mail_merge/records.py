"""Variables of the records that all letters are about: a project, a sale, the document they are filed as."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select, text

from batchtask.definitions import TaskFailure
from worker.tasks.crm.languages import Language
from worker.tasks.crm.rights import Reader
from worker.tasks.crm.subjects import SUBJECTS
from worker.tasks.mail_merge import MailMerge
from worker.tasks.mail_merge.user_fields import UserFields, user_field

_FULL_NAME = """(SELECT concat_ws(' ', nullif(u.firstname, ''), nullif(u.middlename, ''), nullif(u.lastname, ''))
    FROM crm7.associate s JOIN crm7.person u ON u.person_id = s.person_id WHERE s.associate_id = {})"""
_TEXT = "(SELECT text FROM crm7.text WHERE text_id = r.text_id)"
_URL = "(SELECT {} FROM crm7.url WHERE project_id = r.project_id ORDER BY rank, url_id LIMIT 1)"

#: What a variable stands for, by the record `r`.
_PROJECT = {
    "prid": "r.project_id", "pnam": "r.name", "pnum": "r.project_number", "pend": "r.enddate",
    "pmil": "r.nextmilestonedate", "pmid": "r.nmdappointment_id", "plea": _FULL_NAME.format("r.associate_id"),
    "ptyp": "(SELECT name FROM crm7.projtype WHERE projtype_id = r.type_idx)",
    "psta": "(SELECT name FROM crm7.projstatus WHERE projstatus_id = r.status_idx)",
    "pinf": _TEXT, "pwww": _URL.format("url_address"), "pwwi": _URL.format("url_id"),
    "pwnp": f"regexp_replace({_URL.format('url_address')}, '^[a-z]+://', '')",
}  # fmt: skip
_SALE = {
    "said": "r.sale_id", "sati": "r.heading", "sanu": "r.number1", "saam": "r.amount", "saea": "r.earning",
    "saep": "r.earning_percent", "salc": "r.amount - r.earning", "sapr": "r.probability", "sada": "r.saledate",
    "sadu": "r.nextduedate", "sarg": "CAST(r.registered AS timestamp)", "saci": "r.registered_associate_id",
    "satu": "(ARRAY['Open', 'Sold', 'Lost', 'Stalled'])[r.status]", "sanf": _TEXT,
    "saau": _FULL_NAME.format("r.associate_id"), "saca": _FULL_NAME.format("r.registered_associate_id"),
    "saty": "(SELECT name FROM crm7.saletype WHERE saletype_id = r.saletype_id)",
    "saso": "(SELECT name FROM crm7.source WHERE source_id = r.source_id)",
}  # fmt: skip
_DOCUMENT = {
    "doid": "r.document_id", "apid": "r.appointment_id", "head": "r.header", "oref": "r.our_ref",
    "yref": "r.your_ref", "desc": _TEXT,
    "dsug": "(SELECT suggesteddocumentid FROM crm7.appointment WHERE appointment_id = r.appointment_id)",
}  # fmt: skip
#: Documented, but of parts of the CRM that a merge does not read: publishing, guides, stages, currencies.
_BLANK = frozenset({
    "popa", "pope", "pops", "pgui", "saco", "sacr", "sacu", "sapa", "sape", "saps", "sare", "sast", "sgui", "sste",
    "dopa", "dope", "dops",
})  # fmt: skip

_TABLES = {"p": ("project", "project", _PROJECT), "s": ("sale", "sale", _SALE), "d": ("document", "doc", _DOCUMENT)}


def is_record_variable(name: str) -> bool:
    """True if the value is that of a record which all letters share."""
    if found := user_field(name):
        return found.letter in _TABLES
    return name in _BLANK or any(name in variables for _, _, variables in _TABLES.values())


def load_records(
    connection: Connection, parameters: MailMerge, reader: Reader, user_fields: UserFields, language: Language
) -> dict[str, str]:
    """Return the values of all variables of the records that the parameters name.

    Raises:
        TaskFailure: There is no such record that the user may read.
    """
    ids = {"p": parameters.project_id, "s": parameters.sale_id, "d": parameters.document_id}
    values: dict[str, str] = {}
    for letter, record_id in ids.items():
        if record_id:
            row = _load(connection, letter, record_id, reader)
            values |= {name: _text(name, row[name], user_fields, language) for name in row}
    return values


def _load(connection: Connection, letter: str, record_id: int, reader: Reader) -> RowMapping:
    table, part, variables = _TABLES[letter]
    _require_readable(connection, table, record_id, reader)
    columns = {**variables, **_user_defined(letter)}
    selected = ", ".join(f'{expression} AS "{name}"' for name, expression in columns.items())
    query = (
        f"SELECT {selected} FROM crm7.{table} r "  # noqa: S608 - our own words
        f"LEFT JOIN crm7.ud{part}small small ON small.ud{part}small_id = r.userdef_id "
        f"LEFT JOIN crm7.ud{part}large large ON large.ud{part}large_id = r.userdef2_id "
        f"WHERE r.{table}_id = :record_id"
    )
    row = connection.execute(text(query), {"record_id": record_id}).mappings().first()
    assert row is not None
    return row


def _require_readable(connection: Connection, table: str, record_id: int, reader: Reader) -> None:
    subject = SUBJECTS[table]  # a document's rights are those of its appointment
    rows = subject.table
    found = select(rows.c[subject.key]).where(rows.c[f"{table}_id"] == record_id, reader.sees(table, rows))
    if connection.execute(found).first() is None:
        raise TaskFailure(
            f"There is no {table} {record_id} that you may read: it may have been deleted, or be somebody else's."
        )


def _user_defined(letter: str) -> Mapping[str, str]:
    names = (f"{letter}{kind}{number:02}" for kind in "lsf" for number in range(1, 61))
    found = ((name, user_field(name)) for name in names)
    return {name: f"{'large' if field.is_large else 'small'}.{field.column}" for name, field in found if field}


def _text(name: str, value: object, user_fields: UserFields, language: Language) -> str:
    if user_field(name):
        return user_fields.text(name, value, language)
    if isinstance(value, datetime):
        return language.full_date(value)
    if isinstance(value, float):
        return language.number(value)
    return "" if value is None else str(value)
