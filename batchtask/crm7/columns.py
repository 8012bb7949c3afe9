"""Column types of the CRM's data dictionary, and the metadata its tables hang on.

A function is named after the dictionary's type and makes one column per name. There are no SQL foreign keys:
the CRM writes 0 for "no row". An unsigned short reaches 65 535, which a PostgreSQL smallint does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Text,
)
from sqlalchemy.types import TypeEngine

Columns = list[Column[Any]]

metadata = MetaData(
    schema="crm7",
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)


def key(name: str) -> Column[int]:
    """Make a primary key; its values come from `crm7.sequence`, see `allocate_ids`."""
    return Column(name, Integer, primary_key=True, autoincrement=False)


def reference(*names: str, null: bool = False) -> Columns:
    """Make columns that hold another row's id, or 0 for none."""
    return _columns(Integer(), names, null)


def number(*names: str, null: bool = False) -> Columns:
    """Make Int, Id, Enum and UShort columns."""
    return _columns(Integer(), names, null)


def big_number(*names: str, null: bool = False) -> Columns:
    """Make UInt columns."""
    return _columns(BigInteger(), names, null)


def flag(*names: str, null: bool = False) -> Columns:
    """Make Bool columns: 0 or 1."""
    return _columns(SmallInteger(), names, null)


def decimal(*names: str, null: bool = False) -> Columns:
    return _columns(Double(), names, null)


def text(length: int, *names: str, null: bool = False) -> Columns:
    return _columns(String(length), names, null)


def long_text(*names: str, null: bool = False) -> Columns:
    """Make Clob columns."""
    return _columns(Text(), names, null)


def local_time(*names: str, null: bool = False) -> Columns:
    """Make DateTime columns: the time on the database's wall clock, no zone."""
    return _columns(DateTime(timezone=False), names, null)


def utc_time(*names: str, null: bool = False) -> Columns:
    return _columns(DateTime(timezone=True), names, null)


def audit() -> Columns:
    """Make the five columns that say who wrote a row and when."""
    return [
        *utc_time("registered"),
        *reference("registered_associate_id"),
        *utc_time("updated"),
        *reference("updated_associate_id"),
        *number("updatedcount"),
    ]


def list_item() -> Columns:
    """Make the columns that every list of the CRM has beside its key."""
    return [*text(239, "name"), *number("rank", "deleted", null=True), *text(254, "tooltip", null=True), *audit()]


def indexes(*column_groups: str | tuple[str, ...]) -> list[Index]:
    """Make one index per argument: a column, or a tuple of columns."""
    return [Index(None, *([group] if isinstance(group, str) else group)) for group in column_groups]


def unique(*column_names: str) -> Index:
    return Index(None, *column_names, unique=True)


def _columns(kind: TypeEngine[Any], names: Iterable[str], null: bool) -> Columns:
    return [Column(name, kind, nullable=null) for name in names]
