"""Reading PDFs in tests, by a reader that had no part in writing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pypdfium2


@dataclass(frozen=True)
class Letter:
    text: str
    left: float
    bottom: float
    right: float
    top: float


def pages(path: Path) -> list[str]:
    """Return the text of each page, without the marks of no width that stand for accents."""
    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_range().replace("\u200b", "").replace("\r", "") for page in document]


def letters(path: Path, page: int = 0) -> list[Letter]:
    """Return the visible letters of a page and the boxes of their ink, in points from the lower left corner."""
    with pypdfium2.PdfDocument(path) as document:
        text = document[page].get_textpage()
        found = [Letter(text.get_text_range(i, 1), *text.get_charbox(i)) for i in range(text.count_chars())]
    return [letter for letter in found if letter.text.strip("\u200b\r\n ")]


def size(path: Path) -> tuple[float, float]:
    with pypdfium2.PdfDocument(path) as document:
        return document[0].get_size()


def ink(path: Path) -> tuple[int, int]:
    """Return how many pixels of the first page are dark, and how many there are."""
    with pypdfium2.PdfDocument(path) as document:
        picture = document[0].render(grayscale=True)
        return sum(value < 128 for value in bytes(picture.buffer)), picture.width * picture.height


def bookmarks(path: Path) -> list[tuple[int, str, int]]:
    """Return level, title and page of each bookmark."""
    with pypdfium2.PdfDocument(path) as document:
        found = document.get_toc()
        return [(item.level, item.get_title(), item.get_dest().get_index()) for item in found]


def title(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as document:
        return str(document.get_metadata_value("Title"))
