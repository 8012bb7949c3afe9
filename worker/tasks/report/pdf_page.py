"""The pages of a list: title, header row, hairlines, groups, totals and foot, from the top of a frame downwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.tasks.report.model import LineKind, Sheet
from worker.tasks.report.pdf_columns import PADDING
from worker.tasks.report.pdf_document import POINTS_PER_TWIP, Document, place
from worker.tasks.report.pdf_lines import break_lines
from worker.tasks.report.pdf_rows import Row, Rows
from worker.tasks.report.pdf_text import Typesetter, clean

_LINE_HEIGHT = 1.36  #: of the size; lower lines would let Arabic and Vietnamese letters touch
_ASCENT = 1.02
_ROW_SPACE = 3.0  #: points between two rows
_TITLE_SIZE = 16.0
_SUBTITLE_SIZE = 9.0
_FOOT_SIZE = 7.5
_FOOT_HEIGHT = 20.0  #: kept free of rows above the bottom margin
_GROUP_SPACE = (10.0, 5.0, 2.0)  #: above headings, by level
_INK = "0.13 0.16 0.2"
_MUTED = "0.42 0.45 0.5"
_HAIRLINE = "0.85 0.87 0.89"
_TINT = "0.94 0.955 0.97"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where a page may be printed on, in points."""

    paper_width: float
    paper_height: float
    left: float
    top: float
    width: float
    bottom: float

    @classmethod
    def of(cls, sheet: Sheet) -> Frame:
        sides = (sheet.paper_width * POINTS_PER_TWIP, sheet.paper_height * POINTS_PER_TWIP)
        width, height = (max(sides), min(sides)) if sheet.landscape else sides
        return cls(
            paper_width=width,
            paper_height=height,
            left=sheet.left_margin * POINTS_PER_TWIP,
            top=height - sheet.top_margin * POINTS_PER_TWIP,
            width=width - (sheet.left_margin + sheet.right_margin) * POINTS_PER_TWIP,
            bottom=sheet.bottom_margin * POINTS_PER_TWIP,
        )


class Page:
    """The page being printed, and how far down it is full."""

    def __init__(self, document: Document, frame: Frame, sheet: Sheet, rows: Rows) -> None:
        self._document = document
        self._frame = frame
        self._sheet = sheet
        self._rows = rows
        self._header = rows.header()
        self._line = rows.size * _LINE_HEIGHT
        self._y = 0.0
        self._lowest = frame.bottom + _FOOT_HEIGHT
        self._groups: list[Row] = []

    def begin_document(self) -> None:
        self._document.begin_page()
        self._y = self._frame.top
        self._print_text(self._sheet.title, _TITLE_SIZE, _INK, bold=True)
        for line in self._sheet.subtitle:
            self._print_text(line, _SUBTITLE_SIZE, _MUTED)
        self._y -= 8
        self._print_header()

    def print_empty(self) -> None:
        self._y -= 6
        self._print_text(self._sheet.empty, _SUBTITLE_SIZE, _MUTED, indent=PADDING)

    def print_block(self, rows: Sequence[Row]) -> None:
        """Print rows that belong together, on one page if they fit on one."""
        if sum(map(self._height, rows)) > self._y - self._lowest:
            new_groups = [row.level for row in rows if row.kind is LineKind.GROUP]
            self._begin_page(above=min(new_groups, default=None))
        for row in rows:
            if row.kind is LineKind.GROUP:
                self._print_group(row)
            else:
                self._print_row(row)

    def footer(self, number: int, of: int) -> str:
        """Draw the foot of one page."""
        left, right = self._frame.left, self._frame.left + self._frame.width
        word = self._sheet.page_word.format(page=number, pages=of)
        page = self._document.text.set(clean(word))
        note = self._document.text.set(_shortened(self._document.text, self._sheet.footer, self._frame.width * 0.75))
        y = self._frame.bottom + 2
        rule = f"{_HAIRLINE} RG 0.5 w {left:.2f} {y + 11:.2f} m {right:.2f} {y + 11:.2f} l S"
        texts = place(note, left, y, _FOOT_SIZE), place(page, right - page.width * _FOOT_SIZE, y, _FOOT_SIZE)
        return "\n".join((rule, f"{_MUTED} rg", *texts))

    def _height(self, row: Row) -> float:
        return len(row.lines) * self._line + _ROW_SPACE + (_space_above(row) if row.kind is LineKind.GROUP else 0)

    def _begin_page(self, above: int | None = None) -> None:
        """Start a page with the header row and the groups that go on, down to the level above which one begins."""
        self._document.begin_page()
        self._y = self._frame.top
        self._print_header()
        self._groups = [row for row in self._groups if above is None or row.level < above]
        if self._groups:
            path = "  ›  ".join(row.title for row in self._groups) + "  …"
            text = _shortened(self._document.text, path, self._frame.width, self._rows.size)
            self._print_text(text, self._rows.size, _MUTED, indent=PADDING)

    def _print_header(self) -> None:
        height = len(self._header.lines) * self._line + _ROW_SPACE + 2
        self._document.fill(self._frame.left, self._y - height, self._frame.width, height, _TINT)
        self._y -= 1
        self._print_lines(self._header, _INK)
        self._y -= 1
        self._rule(_INK, 0.8)

    def _print_group(self, row: Row) -> None:
        if self._height(row) > self._y - self._lowest:
            self._begin_page(above=row.level)
        self._groups = [group for group in self._groups if group.level < row.level] + [row]
        self._document.bookmark(row.title, max(row.level, 1), self._y)
        self._y -= _space_above(row)
        self._print_lines(row, _INK)
        self._rule(_MUTED, 0.5)

    def _print_row(self, row: Row) -> None:
        if row.kind is LineKind.TOTAL:
            self._rule(_INK, 0.5 if row.level else 1.0)
            self._print_lines(row, _INK)
            self._y -= _ROW_SPACE
        else:
            self._print_lines(row, _INK)
            self._rule(_HAIRLINE, 0.4)

    def _print_lines(self, row: Row, color: str) -> None:
        """Print the lines of a row; one that is longer than the page goes on on the next."""
        self._document.draw(f"{color} rg")
        self._y -= _ROW_SPACE / 2
        for line in row.lines:
            if self._y - self._line < self._lowest and row is not self._header:
                self._begin_page()
                self._document.draw(f"{color} rg")
            for placed in line:
                x = self._frame.left + placed.x
                y = self._y - _ASCENT * self._rows.size
                self._document.draw_text(placed.text, x, y, self._rows.size, placed.stretch)
            self._y -= self._line
        self._y -= _ROW_SPACE / 2

    def _rule(self, color: str, width: float) -> None:
        left, right = self._frame.left, self._frame.left + self._frame.width
        self._document.draw(f"{color} RG {width} w {left:.2f} {self._y:.2f} m {right:.2f} {self._y:.2f} l S")

    def _print_text(self, text: str, size: float, color: str, *, bold: bool = False, indent: float = 0) -> None:
        setter = self._document.text

        def measure(part: str) -> float:
            return setter.width(part, bold) * size

        self._document.draw(f"{color} rg")
        for line in break_lines(clean(text), self._frame.width - indent, measure):
            if self._y - size * _LINE_HEIGHT < self._lowest:
                self._document.begin_page()
                self._y = self._frame.top
                self._document.draw(f"{color} rg")
            self._document.draw_text(
                setter.set(line, bold), self._frame.left + indent, self._y - _ASCENT * size, size
            )
            self._y -= size * _LINE_HEIGHT


def _space_above(row: Row) -> float:
    return _GROUP_SPACE[min(max(row.level, 1), len(_GROUP_SPACE)) - 1]


def _shortened(setter: Typesetter, text: str, width: float, size: float = _FOOT_SIZE) -> str:
    """Return as much of a text as fits on one line."""

    def measure(part: str) -> float:
        return setter.width(part) * size

    lines = break_lines(clean(text), width, measure)
    return lines[0] if len(lines) == 1 else f"{lines[0]} …"
