"""How a stored value of one type is written as another, as SQL, and which values do not fit.

A value fits if nothing of it is lost: written back it would be what it was. One that does not becomes the nearest
there is, or none; whoever publishes decides beforehand whether that may happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from batchtask import crm7
from batchtask.tables import sequence
from batchtask.udef.fields import Field, FieldType
from batchtask.udef.layout import LayoutRefused, Placed


@dataclass(frozen=True)
class Conversion:
    """SQL expressions for `text()`; OLD stands for the stored value."""

    value: str = "OLD"  #: what is written
    fits: str = "true"  #: never null


_IS_INTEGER = "BETWEEN -2147483648 AND 2147483647"
_ROUNDED = f"CASE WHEN OLD {_IS_INTEGER} THEN round(OLD)::int END"
# CASE fixes the order: no text is made a number before it is known to be one.
_READ = f"CASE WHEN OLD ~ '^ *[+-]?[0-9]{{1,10}} *$' THEN CASE WHEN OLD::bigint {_IS_INTEGER} THEN OLD::int END END"
_MOMENT = "to_timestamp(nullif(OLD, 0)) AT TIME ZONE 'UTC'"
_IS_DAY = "coalesce(OLD % 86400 = 0, true)"

_CONVERSIONS: Mapping[tuple[int, int], Conversion] = {
    (FieldType.NUMBER, FieldType.DECIMAL): Conversion("OLD::double precision"),
    (FieldType.NUMBER, FieldType.SHORT_TEXT): Conversion("OLD::text"),
    (FieldType.DECIMAL, FieldType.NUMBER): Conversion(_ROUNDED, f"coalesce(OLD = {_ROUNDED}, OLD IS NULL)"),
    (FieldType.DECIMAL, FieldType.SHORT_TEXT): Conversion("OLD::text"),
    (FieldType.SHORT_TEXT, FieldType.NUMBER): Conversion(
        # "007" is a number and yet no number gives it back: a postcode, perhaps.
        _READ,
        f"coalesce(({_READ})::text = btrim(OLD), btrim(OLD) = '', true)",
    ),
    (FieldType.DATE, FieldType.SHORT_TEXT): Conversion(
        f"to_char({_MOMENT}, CASE WHEN {_IS_DAY} THEN 'YYYY-MM-DD' ELSE 'YYYY-MM-DD HH24\\:MI\\:SS' END)"
    ),
    (FieldType.DATE, FieldType.UNLIMITED_DATE): Conversion(f"to_char({_MOMENT}, 'YYYYMMDD')", _IS_DAY),
    (FieldType.UNLIMITED_DATE, FieldType.SHORT_TEXT): Conversion(
        r"regexp_replace(OLD, '^([0-9]{4})([0-9]{2})([0-9]{2})$', '\1-\2-\3')"
    ),
    (FieldType.CHECKBOX, FieldType.SHORT_TEXT): Conversion("OLD::text"),  # 1 or 0: no word is right in all languages
}

_ANOTHER_LIST = Conversion("NULL::int", "coalesce(OLD = 0, true)")

#: What counts as a value, by type: no empty text, and no 0 where that means that nothing was chosen.
_PRESENT: Mapping[int, str] = {
    FieldType.SHORT_TEXT: "nullif(OLD, '')",
    FieldType.LONG_TEXT: "nullif(OLD, '')",
    FieldType.UNLIMITED_DATE: "nullif(OLD, '')",
    FieldType.DATE: "nullif(OLD, 0)",
    FieldType.LIST: "nullif(OLD, 0)",
}


def conversion(connection: Connection, placed: Placed) -> Conversion | None:
    """Say how the values of a field that is kept change; None if they stay as they are.

    Raises:
        LayoutRefused: Its list cannot be found.
    """
    before, after = placed.before, placed.field
    if before is None or placed.source is None:
        return None
    if before.type != FieldType.LIST or after.type not in {FieldType.LIST, FieldType.SHORT_TEXT}:
        return _CONVERSIONS.get((before.type, after.type))
    if after.type == FieldType.SHORT_TEXT:
        return _item_name(*_list_table(connection, before))
    same = (before.list_table, before.list_id) == (after.list_table, after.list_id)
    return None if same else _ANOTHER_LIST


def present(kind: int, value: str) -> str:
    """Return SQL for a value of a type; null where there is none."""
    return _PRESENT.get(kind, "OLD").replace("OLD", value)


def _item_name(table: str, key: str) -> Conversion:
    item = f"FROM {table} item WHERE item.{key} = OLD"
    return Conversion(
        f"(SELECT left(item.name, 39) {item})",
        f"(coalesce(OLD = 0, true) OR EXISTS (SELECT {item} AND char_length(item.name) <= 39))",
    )


def _list_table(connection: Connection, field: Field) -> tuple[str, str]:
    """Find the table that the values of a list field choose from: its name and its key."""
    definition = crm7.udlistdefinition.c
    of_list = select(definition.listtableid).where(definition.udlistdefinition_id == field.list_id)
    number = field.list_table or connection.execute(of_list).scalar() or _user_lists(connection)
    named = select(func.lower(sequence.c.tablename)).where(sequence.c.tablenumber == number)
    table = crm7.metadata.tables.get(f"crm7.{connection.execute(named).scalar()}")
    if table is None or "name" not in table.c:
        raise LayoutRefused([f"The list of {field.name!r} is not known (table {number}): keep it a list."])
    return table.fullname, next(iter(table.primary_key.columns)).name


def _user_lists(connection: Connection) -> int:
    named = select(sequence.c.tablenumber).where(func.lower(sequence.c.tablename) == crm7.udlist.name)
    return connection.execute(named).scalar_one() or 0
