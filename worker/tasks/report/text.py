"""Reports as plain text in columns, and as a table that spreadsheets open."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from worker.tasks.crm.languages import find_language
from worker.tasks.report.model import Align, Column, Line, LineKind, Printed, Sheet
from worker.tasks.report.pdf_lines import break_lines
from worker.tasks.report.whole_files import whole_file

_LOOKED_AT = 500  #: lines that decide how wide the columns are; later ones wrap
_NARROWEST = 3
_WIDEST = 40
_GAP = "  "
#: Marks that would turn the rest of the line around; letters say enough.
_TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_BOM = b"\xef\xbb\xbf"
#: Begins what a spreadsheet would run as a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"[=@\t\r＝＠＋－]|[+\-](?![\d\s.,()/+\-]*$)")


def display_width(text: str) -> int:
    """Return how many cells of a terminal a text takes: East Asian letters two, marks none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def render_text(sheet: Sheet, lines: Iterable[Line], path: Path, progress: Callable[[int], None]) -> Printed:
    """Print lines in columns that are aligned in a font of fixed width, as UTF-8."""
    first, lines = _look_ahead(lines)
    with whole_file(path) as output:
        for text in _text_lines(sheet, _Columns(sheet.columns, first), lines, progress):
            output.write(text.rstrip().encode("utf-8", "replace") + b"\n")
    return Printed()


def _look_ahead(lines: Iterable[Line]) -> tuple[Sequence[Line], Iterable[Line]]:
    rest = iter(lines)
    first = list(islice(rest, _LOOKED_AT))
    return first, chain(first, rest)


def _text_lines(
    sheet: Sheet, columns: _Columns, lines: Iterable[Line], progress: Callable[[int], None]
) -> Iterator[str]:
    title = _one_line(sheet.title)
    yield from (title, "=" * display_width(title), *map(_one_line, sheet.subtitle), "")
    yield from columns.wrapped([column.heading for column in sheet.columns])
    yield columns.rule("-")
    count = 0
    for count, line in enumerate(lines, start=1):
        match line.kind:
            case LineKind.GROUP:
                yield ""
                yield "  " * max(line.level - 1, 0) + " ".join(filter(None, map(_one_line, line.cells)))
            case LineKind.TOTAL:
                yield columns.rule("-" if line.level else "=")
                yield from columns.wrapped(line.cells)
            case LineKind.DETAIL:
                yield from columns.wrapped(line.cells)
        progress(count)
    if not count:
        yield sheet.empty
    yield from ("", sheet.footer)


class _Columns:
    """Columns of fixed width, as wide as the first lines need."""

    def __init__(self, columns: Sequence[Column], first: Sequence[Line]) -> None:
        self._columns = columns
        rows = [line.cells for line in first if line.kind is not LineKind.GROUP]
        rows.append([column.heading for column in columns])
        self._widths = [
            min(max((_widest(row[i]) for row in rows if i < len(row)), default=0) or _NARROWEST, _WIDEST)
            for i in range(len(columns))
        ]

    def rule(self, mark: str) -> str:
        return _GAP.join(mark * width for width in self._widths)

    def wrapped(self, cells: Sequence[str]) -> Iterator[str]:
        """Yield the lines of a row."""
        blocks = [_wrap(cell, width) for cell, width in zip(cells, self._widths, strict=False)]
        for i in range(max(map(len, blocks), default=0)):
            texts = [block[i] if i < len(block) else "" for block in blocks]
            yield _GAP.join(map(_padded, texts, self._widths, self._columns))


def _widest(cell: str) -> int:
    return max(map(display_width, _paragraphs(cell)), default=0)


def _wrap(cell: str, width: int) -> list[str]:
    return [line for text in _paragraphs(cell) for line in break_lines(text, width, display_width)]


def _paragraphs(cell: str) -> list[str]:
    return [_one_line(text) for text in cell.splitlines()]


def _one_line(text: str) -> str:
    kept = text if text.isascii() else text.translate(_TURNING)
    return "".join(" " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character for character in kept)


def _padded(text: str, width: int, column: Column) -> str:
    space = max(width - display_width(text), 0)
    before = {Align.LEFT: 0, Align.CENTER: space // 2, Align.RIGHT: space}[column.align]
    return " " * before + text + " " * (space - before)


def render_csv(sheet: Sheet, lines: Iterable[Line], path: Path, progress: Callable[[int], None]) -> Printed:
    """Print lines as a table that spreadsheets open as it is meant: no cell is taken for a formula.

    Cells are separated as spreadsheets expect it in the reader's language: by semicolons where numbers have a comma.
    """
    language = find_language(sheet.language)
    separator = ";" if language is not None and language.decimal_comma else ","
    with whole_file(path) as output:
        output.write(_BOM)
        text = io.TextIOWrapper(output, encoding="utf-8", errors="replace", newline="", write_through=True)
        rows = csv.writer(text, delimiter=separator, lineterminator="\r\n")
        rows.writerow([_harmless(column.heading) for column in sheet.columns])
        for count, line in enumerate(lines, start=1):
            rows.writerow([_harmless(cell) for cell in line.cells])
            progress(count)
        text.detach()
    return Printed()


def _harmless(cell: str) -> str:
    """Put an apostrophe before what would be run; numbers and telephone numbers stay as they are."""
    return f"'{cell}" if _FORMULA.match(cell.lstrip(" ")) else cell
