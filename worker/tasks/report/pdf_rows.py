"""Rows of a table: each line's cells broken to the width of their column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.tasks.report.model import Align, Column, Line, LineKind
from worker.tasks.report.pdf_columns import PADDING, share_page
from worker.tasks.report.pdf_lines import break_lines
from worker.tasks.report.pdf_text import SetText, Typesetter, clean

_ROUNDING = 0.01  #: points; a column may be exactly as wide as its widest cell
#: A line may be set this much narrower before it would reach into the next column.
_NARROWEST_STRETCH = 0.5


@dataclass(frozen=True, slots=True)
class Placed:
    """One line of a cell, where it stands in its row."""

    text: SetText
    x: float
    stretch: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the report, ready to be placed."""

    kind: LineKind
    level: int
    title: str  #: of a group
    lines: Sequence[Sequence[Placed]]  #: from top to bottom


class Rows:
    """Makes rows for a frame of a given width, in points."""

    def __init__(self, columns: Sequence[Column], width: float, text: Typesetter, first: Sequence[Line]) -> None:
        self._columns = columns
        self._width = width
        self._text = text
        self.size, self._widths = share_page(columns, width, text, first)
        self._lefts = [sum(self._widths[:i]) for i in range(len(columns))]

    def header(self) -> Row:
        return self._table_row(LineKind.TOTAL, 0, [column.heading for column in self._columns], bold=True)

    def row(self, line: Line) -> Row:
        if line.kind is LineKind.GROUP:
            return self.heading(" ".join(filter(None, line.cells)), line.level)
        return self._table_row(line.kind, line.level, line.cells, bold=line.kind is LineKind.TOTAL)

    def heading(self, title: str, level: int) -> Row:
        """Make a group's heading, indented by its level."""
        indent = PADDING + 10 * max(level - 1, 0)
        lines = self._broken(title, self._width - indent - PADDING, bold=True)
        placed = [[Placed(self._text.set(line, True), indent, 1)] for line in lines]
        return Row(kind=LineKind.GROUP, level=level, title=clean(title), lines=placed)

    def _table_row(self, kind: LineKind, level: int, cells: Sequence[str], *, bold: bool) -> Row:
        blocks = [
            self._cell(cell, column, left, width, bold)
            for cell, column, left, width in zip(cells, self._columns, self._lefts, self._widths, strict=False)
        ]
        height = max(map(len, blocks), default=0)
        lines = [[block[i] for block in blocks if i < len(block)] for i in range(height)]
        return Row(kind=kind, level=level, title="", lines=lines)

    def _cell(self, cell: str, column: Column, left: float, width: float, bold: bool) -> list[Placed]:
        if not cell:
            return []
        room = width - 2 * PADDING
        # A number must not be broken: it is set narrower instead, as far as that can be read.
        if column.align is Align.RIGHT and self._width_of(clean(cell), bold) * _NARROWEST_STRETCH <= room:
            lines = [clean(cell)]
        else:
            lines = self._broken(cell, room, bold)
        return [self._placed(self._text.set(line, bold), column.align, left + PADDING, room) for line in lines]

    def _placed(self, text: SetText, align: Align, left: float, room: float) -> Placed:
        width = text.width * self.size
        stretch = min(room / width, 1.0) if width else 1.0
        space = room - width * stretch
        return Placed(text, left + {Align.LEFT: 0.0, Align.CENTER: space / 2, Align.RIGHT: space}[align], stretch)

    def _broken(self, cell: str, room: float, bold: bool) -> list[str]:
        def measure(text: str) -> float:
            return self._width_of(text, bold)

        return [line for text in cell.splitlines() for line in break_lines(clean(text), room + _ROUNDING, measure)]

    def _width_of(self, text: str, bold: bool) -> float:
        return self._text.width(text, bold) * self.size
