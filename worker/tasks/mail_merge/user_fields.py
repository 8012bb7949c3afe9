"""Values of user-defined fields as users see them: a list's item, a date, yes or no, by the live definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from batchtask import crm7
from batchtask.tables import sequence
from batchtask.udef import OwnerName
from batchtask.udef.fields import TYPE_NAMES, Field, FieldType, load_fields
from batchtask.udef.owners import OWNERS
from batchtask.udef.versions import VersionsUnreadable, read_versions
from worker.tasks.crm.languages import Language
from worker.tasks.report.words import words_of

#: The first letter of a variable says whose field it is: `{cl01}` is a company's first whole number.
_OWNERS: Mapping[str, OwnerName] = {
    "c": "contact", "a": "person", "p": "project", "s": "sale", "d": "document", "u": "person", "o": "contact",
}  # fmt: skip
_NAME = re.compile(r"([capsduo])([lsf])(\d\d)")
_COLUMNS = {"l": ("long", 60), "s": ("string", 49), "f": ("double", 10)}
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class UserField:
    """What a variable such as `{cl01}` stands for."""

    letter: str  #: c company, a person, p project, s sale, d document, u sender, o own company
    column: str

    @property
    def is_large(self) -> bool:
        """In the table of long texts."""
        return self.column.startswith("string") and int(self.column[-2:]) > 40

    @property
    def key(self) -> tuple[OwnerName, str]:
        return _OWNERS[self.letter], self.column


def user_field(name: str) -> UserField | None:
    """Read a variable's name; None if it is no user-defined field."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    column, last = _COLUMNS[match[2]]
    return UserField(letter=match[1], column=f"{column}{match[3]}") if 1 <= int(match[3]) <= last else None


@dataclass(frozen=True, kw_only=True)
class UserFields:
    """The live definitions of all owners; a column without one prints what is stored."""

    types: Mapping[tuple[OwnerName, str], FieldType] = field(default_factory=dict)
    items: Mapping[tuple[OwnerName, str], Mapping[int, str]] = field(default_factory=dict)  #: of list fields, by id
    identities: Mapping[tuple[OwnerName, str], int] = field(default_factory=dict)  #: of fields, by their column

    def identity(self, name: str) -> int | None:
        """Say which field a variable prints; None for a column without one."""
        found = user_field(name)
        return self.identities.get(found.key) if found else None

    def text(self, name: str, value: object, language: Language) -> str:
        """Write a stored value as users see it."""
        found = user_field(name)
        if value is None or found is None:
            return ""
        match self.types.get(found.key):
            case FieldType.DATE if isinstance(value, int):
                return language.full_date(_EPOCH + timedelta(seconds=value)) if value else ""
            case FieldType.UNLIMITED_DATE:
                return _unlimited_date(str(value), language)
            case FieldType.CHECKBOX:
                words = words_of(language.code)
                return words.yes if value else words.no
            case FieldType.LIST if isinstance(value, int):
                return self.items.get(found.key, {}).get(value, "")
        return language.number(value) if isinstance(value, float) else str(value)


def load_user_fields(connection: Connection) -> UserFields:
    types: dict[tuple[OwnerName, str], FieldType] = {}
    items: dict[tuple[OwnerName, str], Mapping[int, str]] = {}
    identities: dict[tuple[OwnerName, str], int] = {}
    for name, owner in OWNERS.items():
        try:
            version = read_versions(connection, owner).live
        except VersionsUnreadable:
            continue  # what is stored is printed as it is
        for found in load_fields(connection, owner, version) if version else ():
            if found.column is None or found.type not in TYPE_NAMES:
                continue
            if found.type == FieldType.LIST:
                items[name, found.column] = _items(connection, found)
            types[name, found.column] = FieldType(found.type)
            identities[name, found.column] = found.identity
    return UserFields(types=types, items=items, identities=identities)


def _items(connection: Connection, found: Field) -> dict[int, str]:
    if found.list_id:
        item = crm7.udlist.c
        rows = select(item.udlist_id, item.name).where(item.udlistdefinition_id == found.list_id)
        return dict(connection.execute(rows).all())
    named = select(func.lower(sequence.c.tablename)).where(sequence.c.tablenumber == found.list_table)
    table = crm7.metadata.tables.get(f"crm7.{connection.execute(named).scalar()}")
    if table is None or "name" not in table.c:
        return {}
    return dict(connection.execute(select(next(iter(table.c)), table.c.name)).all())


def _unlimited_date(value: str, language: Language) -> str:
    """Read YYYYMMDD; anything else is printed as it is."""
    try:
        return language.full_date(datetime.strptime(value, "%Y%m%d"))
    except ValueError:
        return value
