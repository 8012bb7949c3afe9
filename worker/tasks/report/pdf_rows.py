"""Rows of a table: how the columns share the page, and each line's cells broken to their width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.tasks.report.model import Align, Column, Line, LineKind
from worker.tasks.report.pdf_lines import break_lines
from worker.tasks.report.pdf_text import SetText, Typesetter, clean

_LARGEST = 9.0
_SMALLEST = 5.5
_LONGEST_WORD = 9.0  #: ems; longer ones may be broken, and do not make the column wider
_LONGEST_NUMBER = 20.0
PADDING = 3.0  #: points on each side of a cell
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
        self.size, self._widths = self._share(columns, width, first)
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

        return [line for text in cell.splitlines() for line in break_lines(clean(text), room, measure)]

    def _width_of(self, text: str, bold: bool) -> float:
        return self._text.width(text, bold) * self.size

    def _share(self, columns: Sequence[Column], width: float, first: Sequence[Line]) -> tuple[float, Sequence[float]]:
        """Find a size and widths at which no word of a heading and no number is broken, near the wanted shares."""
        needs = [self._need(i, column, first) for i, column in enumerate(columns)]
        room = width - 2 * PADDING * len(columns)
        needed = sum(needs)
        size = max(_SMALLEST, min(_LARGEST, room / needed)) if needed else _LARGEST
        least = [need * size + 2 * PADDING for need in needs]
        if sum(least) > width:
            return size, [width * need / sum(least) for need in least]
        return size, _stretched(least, [max(column.width, 0.0) for column in columns], width)

    def _need(self, position: int, column: Column, first: Sequence[Line]) -> float:
        """Return the least width of a column, in ems: the longest word of its heading and cells, or its numbers."""
        words = [self._text.width(word, True) for word in clean(column.heading).split()]
        for line in first:
            if line.kind is not LineKind.GROUP and position < len(line.cells):
                cell = clean(line.cells[position])
                parts = [cell] if column.align is Align.RIGHT else cell.split()
                longest = _LONGEST_NUMBER if column.align is Align.RIGHT else _LONGEST_WORD
                widths = (self._text.width(part, line.kind is LineKind.TOTAL) for part in parts)
                words += [width for width in widths if width <= longest]
        return max(words, default=1.0)


def _stretched(least: Sequence[float], shares: Sequence[float], width: float) -> Sequence[float]:
    """Share a width as wanted, but give each column its least; the others pay for it."""
    fixed: set[int] = set()
    while True:
        free = width - sum(least[i] for i in fixed)
        total = sum(share for i, share in enumerate(shares) if i not in fixed)
        widths = [least[i] if i in fixed or not total else free * share / total for i, share in enumerate(shares)]
        too_narrow = {i for i, found in enumerate(widths) if found < least[i] - 1e-6}
        if not too_narrow:
            return widths
        fixed |= too_narrow
