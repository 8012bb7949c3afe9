"""The kinds of records that have user-defined fields, and where their values are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import Connection, Table, func, select

from batchtask import crm7
from batchtask.tables import sequence
from batchtask.udef import OwnerName

#: Of the system events that stand while fields are being published.
EVENT_PREFIX = "UDefRebuild"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """One kind of owner."""

    name: OwnerName  #: as preferences write it
    number: int  #: `udeffield.ownertable_id`, which is not the table's number
    label: str  #: what users call it
    records: Table  #: `userdef_id` points at the small table's rows, `userdef2_id` at the large one's
    small: Table  #: values of up to 39 characters, and all numbers
    large: Table  #: long texts

    @property
    def event_key(self) -> str:
        """Of the system event that stands while its fields are being published."""
        return f"{EVENT_PREFIX}{self.name.capitalize()}"


_NUMBERS: Mapping[OwnerName, tuple[int, str, str]] = {
    "contact": (7, "company", "contact"),
    "person": (8, "person", "person"),
    "project": (9, "project", "project"),
    "sale": (10, "sale", "sale"),
    "appointment": (12, "appointment", "appnt"),
    "document": (13, "document", "doc"),
}


def _owner(name: OwnerName) -> Owner:
    number, label, part = _NUMBERS[name]
    small, large = (crm7.metadata.tables[f"crm7.ud{part}{size}"] for size in ("small", "large"))
    records = crm7.metadata.tables[f"crm7.{name}"]
    return Owner(name=name, number=number, label=label, records=records, small=small, large=large)


OWNERS: Mapping[OwnerName, Owner] = {name: _owner(name) for name in get_args(OwnerName)}


def value_columns(connection: Connection, owner: Owner) -> dict[int, str]:
    """Return the columns of an owner's value tables by `columnid`: table number × 256 + place, the key's being 0.

    A column's name is enough to find it: `string41` to `string49` are the large table's, all others the small one's.
    """
    names = func.lower(sequence.c.tablename)
    numbers = select(names, sequence.c.tablenumber).where(names.in_([owner.small.name, owner.large.name]))
    by_name: dict[str, int] = dict(connection.execute(numbers).all())
    return {
        by_name[table.name] * 256 + place: column.name
        for table in (owner.small, owner.large)
        for place, column in enumerate(table.columns)
        if place
    }
