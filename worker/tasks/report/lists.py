"""Lists and grouped lists: from rows to the lines of a sheet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select

from batchtask.definitions import TaskFailure
from worker.tasks.crm.fields import Expression, Field, Kind
from worker.tasks.crm.headings import translate
from worker.tasks.report.definition import ReportColumn, ReportDefinition, Total
from worker.tasks.report.model import Align, Column, Line, LineKind
from worker.tasks.report.records import Records
from worker.tasks.report.totals import LevelTotals
from worker.tasks.report.values import Print, Printer, decimals_of

_MOST_COLUMNS = 60  # a guess: more cannot be read on any paper


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A column or a group, and how it is printed."""

    field: Field
    heading: str
    print: Print
    format: str = ""


class ListLines:
    """The lines of a list: those of the records, headings of groups, and totals."""

    def __init__(self, records: Records, definition: ReportDefinition, printer: Printer) -> None:
        self._records = records
        self._printer = printer
        self._definition = definition
        self._columns = [self._part(column) for column in _require_columns(definition)]
        self._groups = [self._part(ReportColumn(name=name)) for name in definition.groups]
        self._counted: list[Field] = []  #: fields that are counted without being columns
        self._totals = self._make_totals()

    def columns(self) -> list[Column]:
        """Return the sheet's columns."""
        return [
            Column(heading=part.heading, width=column.width, align=column.align or _usual_align(part.field.kind))
            for part, column in zip(self._columns, self._definition.columns, strict=True)
        ]

    def lines(self) -> Iterator[Line]:
        """Yield all lines in order."""
        groups, columns = len(self._groups), len(self._columns)
        before: Sequence[Any] | None = None
        for row in self._records.stream(self._query()):
            keys, values = row[:groups], row[groups:]
            if before is None or keys != before:
                level = _first_difference(before, keys)
                if before is not None:
                    yield from self._close(before, level)
                yield from self._open(keys, level)
                before = keys
            for totals in self._totals:
                totals.add(values)
            cells = [part.print(value) for part, value in zip(self._columns, values[:columns], strict=True)]
            yield Line(kind=LineKind.DETAIL, cells=cells, level=groups)
        if before is not None:
            yield from self._close(before, 0)
            yield from self._total_lines(0, self._printer.words.total)

    def _query(self) -> Select[Any]:
        """Order by groups, then as defined, then by id, so that two runs give the same."""
        records = self._records
        group_keys = [records.grouped_by(part.field) for part in self._groups]
        fields = [*(part.field for part in self._columns), *self._counted]
        query = records.select([*group_keys, *(field.value for field in fields)])
        order: list[Expression] = []
        for part, key in zip(self._groups, group_keys, strict=True):
            order += records.sorted_by(part.field, key)
        for name, descending in self._definition.order:
            field, _ = records.field(name)
            order += records.sorted_by(field, field.value, descending=descending)
        return query.order_by(*order, records.subject.table.c[records.subject.key])

    def _open(self, keys: Sequence[Any], level: int) -> Iterator[Line]:
        for position in range(level, len(keys)):
            yield Line(kind=LineKind.GROUP, cells=[self._group_text(position, keys[position])], level=position + 1)

    def _close(self, keys: Sequence[Any], level: int) -> Iterator[Line]:
        for position in reversed(range(level, len(keys))):
            yield from self._total_lines(position + 1, self._group_value(position, keys[position]))

    def _total_lines(self, level: int, title: str) -> Iterator[Line]:
        totals = self._totals[level]
        count = len(self._columns)
        for function, results in totals.by_function().items():
            by_column = {column: result for column, result in results.items() if column < count}
            cells = [""] * count
            for column, result in by_column.items():
                cells[column] = self._total_text(self._columns[column], function, result)
            place = self._title_place(by_column)
            counts = [str(result) for column, result in results.items() if column >= count]
            cells[place] = " ".join(filter(None, [self._total_title(function, title, level), *counts, cells[place]]))
            yield Line(kind=LineKind.TOTAL, cells=cells, level=level)
        totals.reset()

    def _title_place(self, taken: Collection[int]) -> int:
        """Return the widest column left of the totals, where their title does not have to wrap."""
        columns = range(len(self._columns))
        free = range(min(taken, default=len(columns))) or [column for column in columns if column not in taken] or [0]
        return max(free, key=lambda column: self._definition.columns[column].width)

    def _total_title(self, function: Total, title: str, level: int) -> str:
        word = self._printer.words.totals[function]
        return f"{word}: {title}" if level else word

    def _total_text(self, part: _Part, function: Total, result: Any) -> str:
        if function is Total.COUNT:
            return str(result)
        if function is Total.AVERAGE and result is not None:
            return self._printer.number(result, decimals_of(part.format, 2))
        return part.print(result)

    def _group_text(self, position: int, key: Any) -> str:
        return f"{self._groups[position].heading}: {self._group_value(position, key)}"

    def _group_value(self, position: int, key: Any) -> str:
        return self._groups[position].print(key).strip() or self._printer.words.none

    def _part(self, column: ReportColumn) -> _Part:
        field, unit = self._records.field(column.name)
        heading = column.heading or translate(field.heading, self._printer.language.code)
        return _Part(
            field=field, heading=heading, print=self._printer.of(field, column.format, unit), format=column.format
        )

    def _make_totals(self) -> list[LevelTotals]:
        places = {part.field.name.lower(): position for position, part in enumerate(self._columns)}
        columns = frozenset(places)
        wanted: list[list[tuple[int, Total]]] = [[] for _ in range(len(self._groups) + 1)]
        for one in self._definition.totals:
            if one.level < len(wanted):
                field, _ = self._records.field(one.name)
                _require_total(field, one.total, is_column=field.name.lower() in columns)
                wanted[one.level].append((self._place(field, places), one.total))
        return [LevelTotals(level) for level in wanted]

    def _place(self, field: Field, places: dict[str, int]) -> int:
        """Return where a field's values stand in a row; one that is no column is read behind them."""
        name = field.name.lower()
        if name not in places:
            places[name] = len(self._columns) + len(self._counted)
            self._counted.append(field)
        return places[name]


def _require_columns(definition: ReportDefinition) -> Sequence[ReportColumn]:
    if not definition.columns:
        raise TaskFailure(f"The report {definition.name!r} has no columns: edit the report.")
    if len(definition.columns) > _MOST_COLUMNS:
        raise TaskFailure(f"The report {definition.name!r} has more than {_MOST_COLUMNS} columns: edit the report.")
    return definition.columns


def _require_total(field: Field, total: Total, *, is_column: bool) -> None:
    """Refuse a total that cannot be made or has no column to stand in; a count can stand anywhere."""
    if total in {Total.SUM, Total.AVERAGE} and not field.kind.is_number:
        raise TaskFailure(
            f"{field.name!r} is a {field.kind.value} field, and so cannot be added up: edit the report."
        )
    if not is_column and total is not Total.COUNT:
        raise TaskFailure(f"The report totals {field.name!r}, which is not one of its columns: edit the report.")


def _first_difference(before: Sequence[Any] | None, keys: Sequence[Any]) -> int:
    if before is None:
        return 0
    return next(position for position, key in enumerate(keys) if key != before[position])


def _usual_align(kind: Kind) -> Align:
    return Align.RIGHT if kind.is_number else Align.LEFT
