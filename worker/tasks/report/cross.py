"""Cross tables: rows by columns, counted and added up by the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Numeric, Select, Subquery, cast, func, select, text, tuple_

from batchtask.definitions import TaskFailure
from worker.tasks.crm.fields import Expression, Field, Kind
from worker.tasks.crm.headings import translate
from worker.tasks.report.definition import CrossTable, Total
from worker.tasks.report.model import Align, Column, Line, LineKind
from worker.tasks.report.records import Records
from worker.tasks.report.values import Printer, decimals_of

_MOST_COLUMNS = 40  # a guess: more cannot be read on any paper
_ROW_WIDTH = 2.5
_FUNCTIONS: Mapping[Total, Callable[[Expression], Expression]] = {
    Total.SUM: func.sum,
    Total.AVERAGE: func.avg,
    Total.COUNT: func.count,
    Total.LEAST: func.min,
    Total.MOST: func.max,
}


class CrossLines:
    """The lines of a cross table: one per row value, with its total, and one with the totals of all."""

    def __init__(self, records: Records, cross: CrossTable, printer: Printer) -> None:
        self._records = records
        self._cross = cross
        self._printer = printer
        self._row, row_unit = records.field(_by_month(records, cross.row.name))
        self._column, column_unit = records.field(_by_month(records, cross.column.name))
        self._data, _ = records.field(cross.data.name)
        _require_number(self._data, cross.total)
        self._print_row = printer.of(self._row, cross.row.format, row_unit)
        self._print_column = printer.of(self._column, cross.column.format, column_unit)
        self._keys = self._column_keys()

    def columns(self) -> list[Column]:
        """Return the sheet's columns: the rows' headings, one per value of the column field, the totals."""
        language = self._printer.language.code
        heading = self._cross.row.heading or translate(self._row.heading, language)
        return [
            Column(heading=heading, width=_ROW_WIDTH),
            *(Column(heading=self._title(self._print_column(key)), align=Align.RIGHT) for key in self._keys),
            Column(heading=self._printer.words.total, align=Align.RIGHT),
        ]

    def lines(self) -> Iterator[Line]:
        """Yield all lines in order."""
        rows = self._records.stream(self._query())
        # The sums of the columns come last: they are the only rows that are not of a row value.
        for (is_sum, key), cells in groupby(rows, lambda row: (row.of_all_rows, row.row_key)):
            found = {(cell.of_all_columns, cell.column_key): cell.result for cell in cells}
            values = [found.get((0, column)) for column in self._keys] + [found.get((1, None))]
            title = self._printer.words.total if is_sum else self._title(self._print_row(key))
            kind = LineKind.TOTAL if is_sum else LineKind.DETAIL
            yield Line(kind=kind, cells=[title, *map(self._print, values)])

    def _query(self) -> Select[Any]:
        """Count and add in the database, with the sums of rows and columns, whatever the function is."""
        cell = self._cells()
        row, column = cell.c.v0, cell.c.v1
        sets = func.grouping_sets(tuple_(row, column), tuple_(row), tuple_(column), text("()"))
        of_all_rows = func.grouping(row).label("of_all_rows")
        query = select(
            row.label("row_key"),
            column.label("column_key"),
            of_all_rows,
            func.grouping(column).label("of_all_columns"),
            _FUNCTIONS[self._cross.total](cell.c.v2).label("result"),
        )
        # Without records even the grand total would be a line.
        grouped = query.group_by(sets).having(func.count() > 0)
        return grouped.order_by(of_all_rows, *self._records.sorted_by(self._row, row))

    def _cells(self) -> Subquery:
        records = self._records
        # An empty text does not count, as if it were not there.
        data = records.grouped_by(self._data)
        if self._cross.total in {Total.SUM, Total.AVERAGE}:
            data = cast(data, Numeric)
        return records.select([records.grouped_by(self._row), records.grouped_by(self._column), data]).subquery()

    def _column_keys(self) -> Sequence[Any]:
        cell = self._cells()
        keys = select(cell.c.v1).distinct().subquery()
        order = self._records.sorted_by(self._column, keys.c.v1)
        found = self._records.connection.scalars(select(keys.c.v1).order_by(*order).limit(_MOST_COLUMNS + 1)).all()
        if len(found) > _MOST_COLUMNS:
            raise TaskFailure(
                f"The cross table would have more than {_MOST_COLUMNS} columns: restrict it, "
                f"or choose another field than {self._cross.column.name!r} for them."
            )
        return found

    def _title(self, printed: str) -> str:
        return printed.strip() or self._printer.words.none

    def _print(self, value: Any) -> str:
        if value is None:
            return ""
        if self._cross.total is Total.COUNT:
            return str(value)
        is_whole = self._data.kind is Kind.NUMBER and self._cross.total is not Total.AVERAGE
        decimals = decimals_of(self._cross.data.format, 0 if is_whole else 2)
        return self._printer.number(value, decimals)


def _by_month(records: Records, name: str) -> str:
    """Dates stand by month, unless the definition says otherwise: there would be a column for every day."""
    field, unit = records.field(name)
    return f"{name}:month" if field.kind.is_date and not unit else name


def _require_number(field: Field, total: Total) -> None:
    if total is not Total.COUNT and not field.kind.is_number:
        raise TaskFailure(f"{field.name!r} is a {field.kind.value} field: a cross table can only count it.")
