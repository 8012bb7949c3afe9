"""The stored values of an owner's fields while their columns change: counted, set aside, moved, counted again.

Every table gets one UPDATE that reads all old columns and writes all new ones, so two fields may change places, and
nothing has to be parked in between. It is cut by ranges of keys only so that progress can be told and a stop heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, text

from batchtask.identifiers import TaskId
from batchtask.udef.fields import Field
from batchtask.udef.layout import Layout, Placed, source
from batchtask.udef.owners import Owner
from worker.tasks.publish_udef.conversions import Conversion, conversion, present

#: Rows in one statement: about a second. A guess.
ROWS_AT_ONCE = 20_000
#: Keys may have gaps as large as they like: no more statements than this.
_MOST_STATEMENTS = 200


@dataclass(frozen=True)
class Misfit:
    """A value that its field's new type cannot hold."""

    record_id: int | None  #: None = no record points at the row of values
    value: str


@dataclass(frozen=True)
class _Kept:
    """A field that keeps its values."""

    placed: Placed
    column: str  #: where they will be
    source: str  #: where they are
    conversion: Conversion | None

    @property
    def changes(self) -> bool:
        return self.conversion is not None or self.column != self.source

    @property
    def may_not_fit(self) -> bool:
        return self.conversion is not None and self.conversion.fits != Conversion.fits

    @property
    def value(self) -> str:
        return (self.conversion or Conversion()).value.replace("OLD", _of_row(self.source))

    @property
    def fits(self) -> str:
        return (self.conversion or Conversion()).fits.replace("OLD", _of_row(self.source))


class Values:
    """The values of one owner's fields. All of it belongs into one transaction.

    Args:
        connection: In that transaction.
        owner: Whose values.
        layout: Where they shall be.

    Raises:
        LayoutRefused: A list cannot be found.
    """

    def __init__(self, connection: Connection, owner: Owner, layout: Layout) -> None:
        self._connection = connection
        self._owner = owner
        self._layout = layout
        self._kept = [
            _Kept(placed, placed.column, placed.source, conversion(connection, placed))
            for placed in layout.fields
            if placed.column and placed.source
        ]
        self._written = {table: self._assignments(table) for table in (owner.small, owner.large)}

    @property
    def tables(self) -> list[Table]:
        """The tables in which anything changes."""
        return [table for table, assignments in self._written.items() if assignments]

    @property
    def converted(self) -> list[Placed]:
        """Fields of which some values may not fit."""
        return [kept.placed for kept in self._kept if kept.may_not_fit]

    def count_changing(self) -> int:
        """Count the fields whose values are written anew."""
        return sum(kept.changes for kept in self._kept)

    def count_before(self) -> dict[int, int]:
        """Count what each kept field will hold, by the field's id."""
        return self._count({kept.placed.field.id: (kept.source, kept.value) for kept in self._kept})

    def count_now(self) -> dict[int, int]:
        """Count what each kept field holds once everything is moved."""
        return self._count({kept.placed.field.id: (kept.column, _of_row(kept.column)) for kept in self._kept})

    def count_misfits(self, placed: Placed) -> int:
        query = f"SELECT count(*) FROM {self._rows_that_do_not_fit(placed)}"  # noqa: S608 - columns we know
        return int(self._connection.execute(text(query)).scalar_one())

    def misfits(self, placed: Placed, most: int) -> Iterator[Misfit]:
        """Yield values that do not fit, of the first `most` rows."""
        records, key = self._owner.records, next(iter(self._owner.records.primary_key.columns)).name
        table = self._table(_source(placed))
        pointer = "userdef_id" if table is self._owner.small else "userdef2_id"
        query = f"""
            SELECT (SELECT min({key}) FROM {records.fullname} WHERE {pointer} = held.{_key(table)}) AS record_id,
                held.{_source(placed)}::text AS value
            FROM {self._rows_that_do_not_fit(placed)} ORDER BY held.{_key(table)} LIMIT {most:d}
        """  # noqa: S608 - columns we know
        return (Misfit(found.record_id, found.value) for found in self._connection.execute(text(query)))

    def set_aside(self, task_id: TaskId) -> int:
        """Copy what will be gone into `batchtask.udef_former_value`; return how many values."""
        count = sum(self._copy(task_id, field, "true") for field in self._layout.removed if source(field))
        for kept in self._kept:
            if kept.may_not_fit and kept.placed.before:
                count += self._copy(task_id, kept.placed.before, f"NOT {kept.fits}")
        return count

    def move(self) -> Iterator[float]:
        """Move everything; yields how much is done, 0 to 1, where the caller may stop."""
        for part, table in enumerate(self.tables):
            assignments = self._written[table]
            touched = sorted({*assignments, *(kept.source for kept in self._changing(table))})
            written = ", ".join(f"{column} = {value}" for column, value in assignments.items())
            statement = text(f"""
                UPDATE {table.fullname} held SET {written}
                WHERE held.{_key(table)} BETWEEN :first AND :last
                    AND num_nonnulls({", ".join(map(_of_row, touched))}) > 0
            """)  # noqa: S608 - columns we know
            ranges = self._ranges(table)
            for done, (first, last) in enumerate(ranges, 1):
                self._connection.execute(statement, {"first": first, "last": last})
                yield (part + done / len(ranges)) / len(self.tables)

    def _assignments(self, table: Table) -> dict[str, str]:
        """SQL by column: moved values, and nothing where a value was or where a new field begins."""
        columns = set(table.columns.keys())
        moved = {kept.column: kept.value for kept in self._changing(table)}
        staying = {kept.column for kept in self._kept if not kept.changes}
        left = {column for field in self._live() if (column := source(field))}
        new = {placed.column for placed in self._layout.fields if placed.column and not placed.source}
        emptied = dict.fromkeys(sorted((left | new) & columns - moved.keys() - staying), "NULL")
        return {**moved, **emptied}

    def _changing(self, table: Table) -> list[_Kept]:
        return [kept for kept in self._kept if kept.changes and kept.column in table.columns]

    def _live(self) -> Sequence[Field]:
        return [*self._layout.removed, *(placed.before for placed in self._layout.fields if placed.before)]

    def _count(self, expressions: Mapping[int, tuple[str, str]]) -> dict[int, int]:
        counts: dict[int, int] = {}
        kinds = {kept.placed.field.id: kept.placed.field.type for kept in self._kept}
        for table in (self._owner.small, self._owner.large):
            wanted = {key: value for key, (column, value) in expressions.items() if column in table.columns}
            if wanted:
                counted = ", ".join(f"count({present(kinds[key], value)})" for key, value in wanted.items())
                query = text(f"SELECT {counted} FROM {table.fullname} held")  # noqa: S608 - columns we know
                counts |= dict(zip(wanted, self._connection.execute(query).one(), strict=True))
        return counts

    def _copy(self, task_id: TaskId, field: Field, condition: str) -> int:
        column = source(field)
        table = self._table(column or "")
        statement = text(f"""
            INSERT INTO batchtask.udef_former_value
                (task_id, ownertable_id, udefidentity, field_label, values_id, value)
            SELECT :task_id, :owner, :identity, :label, held.{_key(table)}, held.{column}::text
            FROM {table.fullname} held WHERE {present(field.type, f"held.{column}")} IS NOT NULL AND {condition}
        """)  # noqa: S608 - columns we know
        values = {"task_id": task_id, "owner": self._owner.number, "identity": field.identity, "label": field.name}
        return self._connection.execute(statement, values).rowcount

    def _rows_that_do_not_fit(self, placed: Placed) -> str:
        [kept] = [kept for kept in self._kept if kept.placed is placed]
        return f"{self._table(kept.source).fullname} held WHERE NOT {kept.fits}"

    def _ranges(self, table: Table) -> list[tuple[int, int]]:
        key = _key(table)
        query = text(f"SELECT count(*), min({key}), max({key}) FROM {table.fullname}")  # noqa: S608 - columns we know
        count, first, last = self._connection.execute(query).one()
        if not count:
            return []
        parts = min(-(-count // ROWS_AT_ONCE), _MOST_STATEMENTS)
        size = -(-(last - first + 1) // parts)
        return [(start, start + size - 1) for start in range(first, last + 1, size)]

    def _table(self, column: str) -> Table:
        return self._owner.small if column in self._owner.small.columns else self._owner.large


def _source(placed: Placed) -> str:
    return placed.source or ""


def _of_row(column: str) -> str:
    return f"held.{column}"


def _key(table: Table) -> str:
    return next(iter(table.primary_key.columns)).name
