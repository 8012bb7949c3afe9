"""How the columns of a table share the width of a page, and how large its text can be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from worker.tasks.report.model import Align, Column, Line, LineKind
from worker.tasks.report.pdf_text import Typesetter, clean

PADDING = 3.0  #: points on each side of a cell
_LARGEST = 9.0
_SMALLEST = 5.5
#: Text is not made smaller than this for the sake of long cells, which may wrap; for words it may be.
_SMALLEST_FOR_CELLS = 6.5
_WRAPPING = 1.3  #: of a page's width: as much as the cells of a row may take before the text is made smaller
_LONGEST_WORD = 9.0  #: ems; longer ones may be broken, and do not make the column wider
_LONGEST_NUMBER = 20.0
_LONGEST_CELL = 25.0


def share_page(
    columns: Sequence[Column], width: float, text: Typesetter, first: Sequence[Line]
) -> tuple[float, Sequence[float]]:
    """Find a size for the text and widths for the columns, in points.

    The shares that were asked for count, but no column is too narrow for the words of its heading and its numbers,
    nor wider than its cells if another one needs the room. The first lines tell how wide cells are.
    """
    least, most = _needs(columns, text, first)
    room = width - 2 * PADDING * len(columns)
    for_words = min(_LARGEST, room / sum(least)) if columns else _LARGEST
    for_cells = max(_SMALLEST_FOR_CELLS, room * _WRAPPING / sum(most)) if columns else _LARGEST
    size = max(_SMALLEST, min(for_words, for_cells))
    narrowest = [ems * size + 2 * PADDING for ems in least]
    widest = [ems * size + 2 * PADDING for ems in most]
    if sum(narrowest) > width:
        return size, [width * narrow / sum(narrowest) for narrow in narrowest]
    if sum(widest) < width:
        narrowest, widest = widest, [math.inf] * len(columns)
    return size, _between(narrowest, widest, [max(column.width, 0.01) for column in columns], width)


def _needs(
    columns: Sequence[Column], text: Typesetter, first: Sequence[Line]
) -> tuple[Sequence[float], Sequence[float]]:
    """Return the least and the most that each column can use, in ems."""
    least, most = [], []
    for position, column in enumerate(columns):
        heading = clean(column.heading)
        words = [text.width(word, True) for word in heading.split()]
        cells = [text.width(heading, True)]
        for cell, bold in _cells(first, position):
            cells.append(text.width(cell, bold))
            if column.align is Align.RIGHT:
                words += [cells[-1]] if cells[-1] <= _LONGEST_NUMBER else []
            else:
                widths = (text.width(word, bold) for word in cell.split())
                words += [width for width in widths if width <= _LONGEST_WORD]
        least.append(max(words, default=1.0))
        most.append(max(least[-1], min(max(cells), _LONGEST_CELL)))
    return least, most


def _cells(lines: Sequence[Line], position: int) -> Sequence[tuple[str, bool]]:
    rows = [line for line in lines if line.kind is not LineKind.GROUP and position < len(line.cells)]
    return [(clean(row.cells[position]), row.kind is LineKind.TOTAL) for row in rows]


def _between(least: Sequence[float], most: Sequence[float], shares: Sequence[float], total: float) -> Sequence[float]:
    """Share a total as wanted, each part between its least and its most; what those cost, the others pay."""
    fixed: dict[int, float] = {}
    while True:
        free = total - sum(fixed.values())
        sum_of_shares = sum(share for i, share in enumerate(shares) if i not in fixed)
        wanted = [fixed.get(i, free * share / (sum_of_shares or 1)) for i, share in enumerate(shares)]
        clamped = [min(max(want, least[i]), most[i]) for i, want in enumerate(wanted)]
        excess = sum(clamped) - sum(wanted)
        # All that is too narrow is settled first if together the limits ask for more than there is, and conversely.
        settled = {
            i: clamped[i]
            for i in range(len(shares))
            if i not in fixed
            and ((clamped[i] > wanted[i] and excess >= 0) or (clamped[i] < wanted[i] and excess <= 0))
        }
        if not settled:
            return wanted
        fixed |= settled
