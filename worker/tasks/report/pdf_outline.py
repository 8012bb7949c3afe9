"""The bookmarks of a PDF, written while its pages are: only those stay in memory that may get a neighbour."""

from __future__ import annotations

from dataclasses import dataclass

from worker.tasks.report.pdf_file import PdfFile, text_string


@dataclass
class _Item:
    number: int
    level: int
    title: str
    target: str
    before: int = 0
    first: int = 0
    last: int = 0
    count: int = 0


class Outline:
    """Bookmarks within bookmarks. The path to the newest one is open; what lies beside it has been written."""

    def __init__(self, file: PdfFile) -> None:
        self._file = file
        self._root = _Item(0, 0, "", "")
        self._open: list[_Item] = []

    def add(self, title: str, level: int, target: str) -> None:
        """Add a bookmark behind all others; below the newest one of a lower level."""
        if not self._root.number:
            self._root.number = self._file.reserve()
        number = self._file.reserve()
        self._close_from(level, following=number)
        parent = self._open[-1] if self._open else self._root
        self._open.append(_Item(number, level, title, target, before=parent.last))
        parent.first = parent.first or number
        parent.last = number
        parent.count += 1

    def finish(self) -> int:
        """Write what is open and return the number of the whole; 0 if there are no bookmarks."""
        if not self._root.number:
            return 0
        self._close_from(1, following=0)
        root = self._root
        body = f"<< /Type /Outlines /First {root.first} 0 R /Last {root.last} 0 R /Count {root.count} >>"
        self._file.write(root.number, body)
        return root.number

    def _close_from(self, level: int, *, following: int) -> None:
        """Write the open items of this level and below; only the outermost of them has something following it."""
        closing = [item for item in self._open if item.level >= level]
        while self._open and self._open[-1].level >= level:
            item = self._open.pop()
            self._write(item, following if item is closing[0] else 0)

    def _write(self, item: _Item, following: int) -> None:
        parent = self._open[-1] if self._open else self._root
        entries = f"/Title {text_string(item.title)} /Parent {parent.number} 0 R /Dest {item.target}"
        if item.before:
            entries += f" /Prev {item.before} 0 R"
        if following:
            entries += f" /Next {following} 0 R"
        if item.first:
            # A negative count is a closed one: the reader opens what he wants.
            entries += f" /First {item.first} 0 R /Last {item.last} 0 R /Count -{item.count}"
        self._file.write(item.number, f"<< {entries} >>")
