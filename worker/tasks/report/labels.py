"""Sheets of labels as PDF: every label in its place on the sheet, its text as large as fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from worker.tasks.report.model import Label, LabelSheet, Printed
from worker.tasks.report.pdf_document import POINTS_PER_TWIP, Document
from worker.tasks.report.pdf_lines import break_lines
from worker.tasks.report.pdf_text import Typesetter, clean
from worker.tasks.report.whole_files import whole_file

_LARGEST = 11.0
_SMALLEST_UNBROKEN = 8.0  #: lines are rather set smaller than broken, down to this size
_SHRINK = 0.95
_LINE_HEIGHT = 1.25
_ASCENT = 0.95  #: of the first line's height; letters with marks above are higher than capitals
#: Kept free inside each label, as printers do not feed to the millimetre; of small labels, a share of the height.
_PADDING = 8.0
_PADDING_SHARE = 0.1


def render_labels(
    sheet: LabelSheet,
    labels: Iterable[Label],
    path: Path,
    progress: Callable[[int], None],
    *,
    start: int = 1,
) -> Printed:
    """Print labels row by row, the first one at place `start`, from 1: sheets may have been used in part."""
    places = _Places(sheet)
    with whole_file(path) as output:
        document = Document(output, width=places.width, height=places.height, title=sheet.title, language="")
        place = start - 1
        document.begin_page()
        for count, label in enumerate(labels, start=1):
            if place == places.per_sheet:
                document.begin_page()
                place = 0
            _draw(document, label, places.box(place))
            place += 1
            progress(count)
        return document.finish(lambda number, of: "")


class _Places:
    """The geometry of a sheet, in points."""

    def __init__(self, sheet: LabelSheet) -> None:
        sides = (sheet.paper_width * POINTS_PER_TWIP, sheet.paper_height * POINTS_PER_TWIP)
        self.width, self.height = (max(sides), min(sides)) if sheet.landscape else sides
        self._left = sheet.left_margin * POINTS_PER_TWIP
        self._top = self.height - sheet.top_margin * POINTS_PER_TWIP
        self._columns = sheet.columns
        self.per_sheet = sheet.columns * sheet.rows
        self._label_width = (self.width - self._left - sheet.right_margin * POINTS_PER_TWIP) / sheet.columns
        self._label_height = (self._top - sheet.bottom_margin * POINTS_PER_TWIP) / sheet.rows

    def box(self, place: int) -> tuple[float, float, float, float]:
        """Return left, top, width and height of what may be printed on, by the label's place from 0."""
        row, column = divmod(place, self._columns)
        padding = min(_PADDING, self._label_height * _PADDING_SHARE)
        return (
            self._left + column * self._label_width + padding,
            self._top - row * self._label_height - padding,
            self._label_width - 2 * padding,
            self._label_height - 2 * padding,
        )


def _draw(document: Document, label: Label, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    texts = [clean(text) for line in label.lines for text in line.splitlines() if text.strip()]
    if not texts:
        return
    size, lines = _fit(document.text, texts, width, height)
    baseline = top - (height - len(lines) * size * _LINE_HEIGHT) / 2 - _ASCENT * size
    for line in lines:
        document.draw_text(document.text.set(line), left, baseline, size)
        baseline -= size * _LINE_HEIGHT


def _fit(typesetter: Typesetter, texts: Sequence[str], width: float, height: float) -> tuple[float, Sequence[str]]:
    """Return the largest size at which all lines fit, and the lines; broken only if they would be tiny otherwise."""
    widest = max(typesetter.width(text) for text in texts)
    unbroken = min(_LARGEST, width / widest if widest else _LARGEST, height / len(texts) / _LINE_HEIGHT)
    if unbroken >= _SMALLEST_UNBROKEN:
        return unbroken, texts
    for size in _sizes():
        lines = [line for text in texts for line in break_lines(text, width / size, typesetter.width)]
        if len(lines) * size * _LINE_HEIGHT <= height and all(
            typesetter.width(line) * size <= width for line in lines
        ):
            return size, lines
    raise AssertionError("Sizes never end, and some size is small enough.")


def _sizes() -> Iterator[float]:
    size = _LARGEST
    while True:
        yield size
        size *= _SHRINK
