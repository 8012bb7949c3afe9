"""User-defined fields as fields of the catalogue, by the definitions that are live.

A field goes by its `progId` and by `SuperOffice:<identity>`; a column of the value tables also by `udef.long01`, as
a number or a text, for databases that came without definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, FromClause, Table, and_, case, func, literal_column, select
from sqlalchemy.types import Date, DateTime, Double, String

from batchtask import crm7
from batchtask.udef.fields import Field as UserField
from batchtask.udef.fields import FieldType, load_fields
from batchtask.udef.owners import OWNERS, Owner
from worker.tasks.crm.fields import Choices, Definition, Expression, Kind, Reading, Sees, Test
from worker.tasks.crm.preferences import load_preference
from worker.tasks.crm.subject import Subject
from worker.tasks.crm.subjects import SUBJECTS
from worker.tasks.crm.table_numbers import load_table_numbers

COLUMN_PREFIX = "udef."

_KINDS = {
    FieldType.NUMBER: Kind.NUMBER,
    FieldType.SHORT_TEXT: Kind.TEXT,
    FieldType.LONG_TEXT: Kind.TEXT,
    FieldType.DATE: Kind.DATE,
    FieldType.UNLIMITED_DATE: Kind.DATE,
    FieldType.CHECKBOX: Kind.FLAG,
    FieldType.LIST: Kind.LIST,
    FieldType.DECIMAL: Kind.DECIMAL,
}


def load_user_fields(connection: Connection) -> dict[str, dict[str, Definition]]:
    """Read the live definitions of all owners: by subject and lower-case name."""
    tables = {number: name for name, number in load_table_numbers(connection).items()}
    return {
        subject.name: dict(_definitions(connection, subject, OWNERS[subject.udef_owner], tables))  # type: ignore[index]
        for subject in SUBJECTS.values()
        if subject.udef_owner
    }


def _definitions(
    connection: Connection, subject: Subject, owner: Owner, tables: Mapping[int, str]
) -> Iterator[tuple[str, Definition]]:
    for table in (owner.small, owner.large):
        for column in list(table.columns)[1:]:
            yield f"{COLUMN_PREFIX}{column.name}", _raw(subject, table, column.name)
    version = load_preference(connection, "System", f"CurrentUdefVersion{owner.name}") or ""
    if not version.isdecimal():
        return
    for field in load_fields(connection, owner, int(version)):
        if field.column and field.type in _KINDS:
            definition = _defined(subject, owner, field, tables)
            yield f"superoffice:{field.identity}", definition
            if field.prog_id:
                yield field.prog_id.lower(), definition


def _raw(subject: Subject, table: Table, column: str) -> Definition:
    kind = table.c[column].type
    found = Kind.TEXT if isinstance(kind, String) else Kind.DECIMAL if isinstance(kind, Double) else Kind.NUMBER
    return _definition(subject, table, column, found, column)


def _defined(subject: Subject, owner: Owner, field: UserField, tables: Mapping[int, str]) -> Definition:
    assert field.column
    table = owner.large if field.column in owner.large.c else owner.small
    kind = _KINDS[FieldType(field.type)]
    choices = _choices(field, tables) if kind is Kind.LIST else None
    convert = _CONVERSIONS.get(FieldType(field.type), _as_it_is)
    if kind is Kind.LIST and choices is None:
        kind = Kind.NUMBER
    return _definition(subject, table, field.column, kind, field.name, convert=convert, choices=choices)


def _definition(
    subject: Subject,
    table: Table,
    column: str,
    kind: Kind,
    heading: str,
    *,
    convert: Callable[[Expression], Expression] | None = None,
    choices: Choices | None = None,
) -> Definition:
    def read(base: FromClause, _: Sees) -> Reading:
        values = table.alias()
        value = (convert or _as_it_is)(values.c[column])
        found = _values_of(subject, values, base)
        name = choices.name_of(value, values) if choices else value

        def holds(test: Test) -> Any:
            return select(1).where(and_(found, test(value))).correlate(base).exists()

        return Reading(value=select(name).where(found).limit(1).correlate(base).scalar_subquery(), holds=holds)

    return Definition(kind=kind, heading=heading, read=read, choices=choices)


def _values_of(subject: Subject, values: FromClause, base: FromClause) -> Any:
    """Say that `values` is the row that the record of `base` points at."""
    pointer = "userdef2_id" if values.c[0].name.endswith("large_id") else "userdef_id"
    if subject.udef_row is None:
        return and_(values.c[0] == base.c[pointer], base.c[pointer] != 0)
    record = crm7.document.alias()
    pointed = select(record.c[pointer]).where(subject.udef_row(base, record)).correlate(base)
    return values.c[0].in_(pointed)


def _as_it_is(value: Expression) -> Expression:
    return value


def _day_of_seconds(value: Expression) -> Expression:
    epoch: Expression = literal_column("timestamp '1970-01-01'", DateTime())
    return case((value != 0, epoch + value * literal_column("interval '1 second'")))


def _day_of_text(value: Expression) -> Expression:
    """Read YYYYMMDD. Days are added to the month, because a 31st of February must not stop the query."""
    month = func.to_date(func.substr(value, 1, 6), "YYYYMM", type_=Date())
    days = func.substr(value, 7, 2).cast(crm7.contact.c.contact_id.type) - 1
    is_date = value.regexp_match(r"^[0-9]{4}(0[1-9]|1[0-2])[0-3][0-9]$")
    return case((is_date, (month + days).cast(DateTime())))


_CONVERSIONS: Mapping[FieldType, Callable[[Expression], Expression]] = {
    FieldType.DATE: _day_of_seconds,
    FieldType.UNLIMITED_DATE: _day_of_text,
    FieldType.CHECKBOX: lambda value: func.coalesce(value, 0),
}


def _choices(field: UserField, tables: Mapping[int, str]) -> Choices | None:
    """Return what a list field chooses from; None if that table is not known here."""
    if field.list_id:
        item = crm7.udlist.c
        rows = select(item.udlist_id.label("key"), item.name.label("name"))
        return Choices(rows=rows.where(item.udlistdefinition_id == field.list_id))
    table = crm7.metadata.tables.get(f"crm7.{tables.get(field.list_table, '')}")
    # Names of companies, projects and selections are not everybody's to read, as those of a list's items are.
    if table is None or "name" not in table.c or table.name in SUBJECTS:
        return None
    return Choices(rows=select(next(iter(table.c)).label("key"), table.c.name.label("name")))
