"""Lists as PDF: title, rows in columns on as many pages as it takes, groups, totals. Starts with `render_pdf`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from worker.tasks.report.model import Line, LineKind, Printed, Sheet
from worker.tasks.report.pdf_document import Document
from worker.tasks.report.pdf_page import Frame, Page
from worker.tasks.report.pdf_rows import Rows
from worker.tasks.report.whole_files import whole_file

_LOOKED_AT = 200  #: lines that decide how the columns share the page


def render_pdf(sheet: Sheet, lines: Iterable[Line], path: Path, progress: Callable[[int], None]) -> Printed:
    """Print lines as a table; headings stay with the first line below them, totals with the last one above."""
    rest = iter(lines)
    first = list(islice(rest, _LOOKED_AT))
    frame = Frame.of(sheet)
    with whole_file(path) as output:
        document = Document(
            output, width=frame.paper_width, height=frame.paper_height, title=sheet.title, language=sheet.language
        )
        rows = Rows(sheet.columns, frame.width, document.text, first)
        page = Page(document, frame, sheet, rows)
        page.begin_document()
        count = 0
        for block in _blocks(chain(first, rest)):
            page.print_block([rows.row(line) for line in block])
            for _ in block:
                count += 1
                progress(count)
        if not count:
            page.print_empty()
        return document.finish(page.footer)


def _blocks(lines: Iterable[Line]) -> Iterator[Sequence[Line]]:
    """Gather lines that belong on one page: headings, one record, totals."""
    block: list[Line] = []
    for line in lines:
        if block and line.kind is not LineKind.TOTAL and block[-1].kind is not LineKind.GROUP:
            yield block
            block = []
        block.append(line)
    if block:
        yield block
