"""User-defined fields for tests: live ones, drafts, values, and what a reader of the CRM sees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, text, update

from batchtask.crm7 import allocate_ids, udeffield
from batchtask.identifiers import new_task_id
from batchtask.testing import FakeContext
from batchtask.udef import OwnerName
from batchtask.udef.drafts import open_draft, unused_identity
from batchtask.udef.fields import FieldType, load_fields
from batchtask.udef.owners import OWNERS, value_columns
from batchtask.udef.publishing import start_publishing
from batchtask.udef.versions import read_versions, set_draft_version, set_live_version

BY = 1  #: the associate who does it all

#: label → type and column of the live version that most tests begin with.
LIVE: Mapping[str, tuple[FieldType, str]] = {
    "Points": (FieldType.NUMBER, "long01"),
    "Group": (FieldType.SHORT_TEXT, "string05"),
    "Share": (FieldType.DECIMAL, "double05"),
    "Notes": (FieldType.LONG_TEXT, "string45"),
}


class Udefs:
    """The fields of one owner."""

    def __init__(self, engine: Engine, owner: OwnerName = "contact") -> None:
        self.engine = engine
        self.owner = OWNERS[owner]

    def define(self, fields: Mapping[str, tuple[FieldType, str]]) -> None:
        """Make fields live, as version 1; a column among the first four of its storage makes a field indexed."""
        with self.engine.begin() as connection:
            set_live_version(connection, self.owner, 1, BY)
            set_draft_version(connection, self.owner, 1, BY)
        self.define_more(fields)

    def define_more(self, fields: Mapping[str, tuple[FieldType, str]]) -> None:
        with self.engine.begin() as connection:
            numbers = {column: number for number, column in value_columns(connection, self.owner).items()}
            for place, (label, (kind, column)) in enumerate(fields.items(), 1):
                indexed = int(re.fullmatch(r"(long|string|double)0[1-4]|string4[1-4]", column) is not None)
                row = {"fieldlabel": label, "fieldtype": kind, "columnid": numbers.get(column, 0)}
                self._insert(connection, row | {"taborder": place, "indexed": indexed, "version": 1})

    def edit(self, label: str, **columns: object) -> None:
        """Change a field in the draft."""
        with self.engine.begin() as connection:
            draft = open_draft(connection, self.owner, BY)
            table = udeffield.c
            of_draft = (table.ownertable_id == self.owner.number, table.version == draft)
            edited = update(udeffield).where(*of_draft, table.fieldlabel == label)
            assert connection.execute(edited.values(**columns)).rowcount == 1

    def add(self, label: str, kind: FieldType, **columns: object) -> None:
        with self.engine.begin() as connection:
            draft = open_draft(connection, self.owner, BY)
            place = select(func.coalesce(func.max(udeffield.c.taborder), 0) + 1).scalar_subquery()
            row = {"fieldlabel": label, "fieldtype": kind, "columnid": 0, "taborder": place, "version": draft}
            self._insert(connection, row | columns)

    def remove(self, label: str) -> None:
        with self.engine.begin() as connection:
            draft = open_draft(connection, self.owner, BY)
            table = udeffield.c
            gone = delete(udeffield).where(table.ownertable_id == self.owner.number, table.version == draft)
            assert connection.execute(gone.where(table.fieldlabel == label)).rowcount == 1

    def fill(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Add records with values by label, as the live version has them."""
        with self.engine.begin() as connection:
            columns = self._live_columns(connection)
            small, large = self.owner.small, self.owner.large
            for row in rows:
                values = {columns[label]: value for label, value in row.items()}
                ids = [
                    self._fill(connection, table, {name: value for name, value in values.items() if name in table.c})
                    for table in (small, large)
                ]
                self._record(connection, *ids)

    def seen(self) -> list[dict[str, object]]:
        """Return what users see: values by label, record by record."""
        repeatable = self.engine.execution_options(isolation_level="REPEATABLE READ")
        with repeatable.begin() as connection:
            columns = self._live_columns(connection)
            small, large, records = self.owner.small, self.owner.large, self.owner.records
            rows = connection.execute(
                select(small, large)
                .select_from(records)
                .join(small, _key(small) == records.c.userdef_id)
                .join(large, _key(large) == records.c.userdef2_id)
                .order_by(_key(records))
            ).mappings()
            return [{label: row.get(column) for label, column in columns.items()} for row in rows]

    def columns(self) -> dict[str, str | None]:
        """Return the live fields' columns by label."""
        with self.engine.connect() as connection:
            live = read_versions(connection, self.owner).live
            return {field.label: field.column for field in load_fields(connection, self.owner, live)}

    def start(self) -> None:
        with self.engine.begin() as connection:
            start_publishing(connection, self.owner, BY)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return everything that publishing may change, to compare."""
        tables = (self.owner.small, self.owner.large, udeffield)
        with self.engine.connect() as connection:
            found = {
                table.name: [tuple(row) for row in connection.execute(select(table).order_by(_key(table)))]
                for table in tables
            }
            return found | {"versions": [(read_versions(connection, self.owner),)]}

    def _insert(self, connection: Connection, row: Mapping[str, object]) -> None:
        [number] = allocate_ids(connection, udeffield, 1)
        own: dict[str, object] = {
            "udeffield_id": number,
            "ownertable_id": self.owner.number,
            "udlistdefinition_id": 0,
            "mandatory": 0,
            "lastversionid": 0,
            "udefidentity": unused_identity(connection, self.owner),
            "registered": func.now(),
            "registered_associate_id": BY,
            "updated": func.now(),
            "updated_associate_id": BY,
            "updatedcount": 0,
        }
        connection.execute(insert(udeffield).values(**{**own, **row}))

    def _live_columns(self, connection: Connection) -> dict[str, str]:
        live = read_versions(connection, self.owner).live
        return {field.label: field.column for field in load_fields(connection, self.owner, live) if field.column}

    def _fill(self, connection: Connection, table: Table, values: Mapping[str, object]) -> int:
        [number] = allocate_ids(connection, table, 1)
        connection.execute(insert(table).values(**{f"{table.name}_id": number}, **values))
        return number

    def _record(self, connection: Connection, small: int, large: int) -> None:
        records = self.owner.records
        [number] = allocate_ids(connection, records, 1)
        needed = {column.name: _blank(column) for column in records.c if not column.nullable}
        own = {_key(records).name: number, "userdef_id": small, "userdef2_id": large}
        connection.execute(insert(records).values(**{**needed, **own}))


def waiting(engine: Engine, *, seconds: float = 0.3) -> set[int]:
    """Return the sessions of this database that have been waiting for a lock, and not just for a moment."""
    query = text("""
        SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
            AND now() - query_start > :seconds * interval '1 s'
    """)
    with engine.connect() as connection:
        return set(connection.execute(query, {"seconds": seconds}).scalars())


def with_defaults(database_url: str, **settings: str) -> str:
    """Return the URL of a database whose administrators have set something up otherwise."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return f"{database_url}?options={quote(options)}"


@contextmanager
def holding(engine: Engine, statement: str) -> Iterator[None]:
    """A session that executes a statement, and commits at the end of the block."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text(statement))
        yield


def publishing(database_url: str, context_folder: Any, **options: Any) -> FakeContext:
    """A context of a task of its own, run by the system."""
    return FakeContext(folder=context_folder, database_url=database_url, owner=0, task_id=new_task_id(), **options)


def _key(table: Table) -> Any:
    return next(iter(table.primary_key.columns))


def _blank(column: Any) -> object:
    kind = column.type.python_type
    return func.now() if kind.__name__ == "datetime" else kind()
