"""A PDF document page by page: contents, bookmarks, fonts, title. What stands on the pages is told by others."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from worker.tasks.report.model import Printed
from worker.tasks.report.pdf_file import PdfFile, text_string
from worker.tasks.report.pdf_fonts import embed
from worker.tasks.report.pdf_outline import Outline
from worker.tasks.report.pdf_text import SetText, Typesetter

POINTS_PER_TWIP = 1 / 20


class Document:
    """A document being written; a page is on disk when the next one begins.

    Lengths in points, 1/72 inch, from the lower left corner.
    """

    def __init__(self, output: BinaryIO, *, width: float, height: float, title: str, language: str) -> None:
        self.text = Typesetter(language)
        self._file = PdfFile(output)
        self._width, self._height = width, height
        self._title, self._language = title, language
        self._tree = self._file.reserve()
        self._resources = self._file.reserve()
        self._outline = Outline(self._file)
        self._pages: list[int] = []
        self._footers: list[int] = []
        self._operators: list[str] = []

    @property
    def page_count(self) -> int:
        return len(self._pages)

    def begin_page(self) -> None:
        """Finish the page before, if any, and start an empty one."""
        self._write_page()
        self._pages.append(self._file.reserve())
        self._footers.append(self._file.reserve())

    def draw(self, operators: str) -> None:
        self._operators.append(operators)

    def draw_text(self, text: SetText, x: float, y: float, size: float, stretch: float = 1.0) -> None:
        """Set text with its baseline's left end at (x, y)."""
        self.draw(place(text, x, y, size, stretch))

    def fill(self, x: float, y: float, width: float, height: float, color: str) -> None:
        self.draw(f"{color} rg {x:.2f} {y:.2f} {width:.2f} {height:.2f} re f 0 g")

    def bookmark(self, title: str, level: int, top: float) -> None:
        """Add a bookmark to the page being written; levels count from 1."""
        self._outline.add(title, level, f"[{self._pages[-1]} 0 R /XYZ null {top:.1f} null]")

    def finish(self, footer: Callable[[int, int], str]) -> Printed:
        """Write the rest; `footer` draws the foot of a page by its number and the number of all."""
        self._write_page()
        for number, footer_object in enumerate(self._footers, start=1):
            self._file.write_stream(footer_object, footer(number, len(self._pages)).encode("ascii"))
        self._write_resources()
        kids = " ".join(f"{page} 0 R" for page in self._pages)
        self._file.write(self._tree, f"<< /Type /Pages /Count {len(self._pages)} /Kids [{kids}] >>")
        outline = self._outline.finish()
        shown = f"/Outlines {outline} 0 R /PageMode /UseOutlines" if outline else ""
        root = self._file.add(
            f"<< /Type /Catalog /Pages {self._tree} 0 R /Lang {text_string(self._language)}"
            f" /ViewerPreferences << /DisplayDocTitle true >> {shown} >>"
        )
        info = self._file.add(f"<< /Title {text_string(self._title)} /Producer (batchtask) >>")
        self._file.finish(root=root, info=info)
        return Printed(pages=len(self._pages), boxes="".join(self.text.boxes))

    def _write_page(self) -> None:
        if not self._pages:
            return
        contents = self._file.add_stream("\n".join(self._operators).encode("ascii"))
        self._operators = []
        self._file.write(
            self._pages[-1],
            f"<< /Type /Page /Parent {self._tree} 0 R /MediaBox [0 0 {self._width:.2f} {self._height:.2f}]"
            f" /Resources {self._resources} 0 R /Contents [{contents} 0 R {self._footers[-1]} 0 R] >>",
        )

    def _write_resources(self) -> None:
        fonts = " ".join(f"/{used.resource} {embed(self._file, used)} 0 R" for used in self.text.used.values())
        self._file.write(self._resources, f"<< /Font << {fonts} >> >>")


def place(text: SetText, x: float, y: float, size: float, stretch: float = 1.0) -> str:
    """Return operators that set text with its baseline's left end at (x, y)."""
    if not text.operators:
        return ""
    return f"BT {size * stretch:.3f} 0 0 {size:.3f} {x:.2f} {y:.2f} Tm {text.operators} ET"
