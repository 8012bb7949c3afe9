"""One generation of a user-defined field, read from its row of `crm7.udeffield`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from batchtask.crm7 import udeffield
from batchtask.udef.owners import Owner, value_columns


class FieldType(enum.IntEnum):
    """`udeffield.fieldtype`, with the numbers of the CRM's API."""

    LABEL = 0  #: a text on the screen, no value
    NUMBER = 1
    SHORT_TEXT = 2  #: up to 39 characters
    LONG_TEXT = 3  #: up to 199
    DATE = 4  #: seconds since 1970 as a whole number
    UNLIMITED_DATE = 5  #: YYYYMMDD as text
    CHECKBOX = 6  #: 1 = checked
    LIST = 7  #: the chosen row's id
    DECIMAL = 8


#: What users call them.
TYPE_NAMES: Mapping[FieldType, str] = {
    FieldType.LABEL: "label",
    FieldType.NUMBER: "number",
    FieldType.SHORT_TEXT: "short text",
    FieldType.LONG_TEXT: "long text",
    FieldType.DATE: "date",
    FieldType.UNLIMITED_DATE: "unlimited date",
    FieldType.CHECKBOX: "checkbox",
    FieldType.LIST: "list",
    FieldType.DECIMAL: "decimal number",
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One generation of one field."""

    id: int
    identity: int  #: the same in all generations; 0 = none yet
    label: str
    type: int  #: a `FieldType`, unless the row is garbage
    column: str | None  #: where its values are; None = `columnid` points nowhere
    is_indexed: bool = False
    is_mandatory: bool = False
    is_read_only: bool = False
    text_length: int = 0
    list_table: int = 0  #: number of the table that the values choose from
    list_id: int = 0  #: or the user-defined list
    prog_id: str = ""
    last_id: int = 0  #: of the generation before; 0 = new
    short_label: str = ""

    @property
    def name(self) -> str:
        """What to call it in a sentence for users."""
        return self.label or self.short_label or self.prog_id or f"number {self.identity or self.id}"


def load_fields(connection: Connection, owner: Owner, version: int, *, lock: bool = False) -> list[Field]:
    """Read the fields of one version in their order.

    Args:
        connection: To the CRM's database.
        owner: Whose fields.
        version: Of the layout.
        lock: Let nobody else change these rows until the transaction ends.
    """
    columns = value_columns(connection, owner)
    table = udeffield.c
    query = select(udeffield).where(table.ownertable_id == owner.number, table.version == version)
    query = query.order_by(table.taborder, table.udeffield_id)
    rows = connection.execute(query.with_for_update() if lock else query).mappings()
    return [_field(row, columns) for row in rows]


def _field(row: RowMapping, columns: Mapping[int, str]) -> Field:
    return Field(
        id=row["udeffield_id"],
        identity=row["udefidentity"] or 0,
        label=(row["fieldlabel"] or "").strip(),
        short_label=(row["shortlabel"] or "").strip(),
        type=row["fieldtype"],
        column=columns.get(row["columnid"]),
        is_indexed=bool(row["indexed"]),
        is_mandatory=bool(row["mandatory"]),
        is_read_only=bool(row["readonly"]),
        text_length=row["textlength"] or 0,
        list_table=row["listtableid"] or 0,
        list_id=row["udlistdefinition_id"] or 0,
        prog_id=(row["progid"] or "").strip(),
        last_id=row["lastversionid"] or 0,
    )
