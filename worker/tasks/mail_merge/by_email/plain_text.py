"""The plain text that goes with a mail in HTML, for programs that show no HTML; variables in it stay as they are."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SILENT = {"head", "style", "script", "title", "template"}
_BLOCKS = {"p", "div", "tr", "table", "ul", "ol", "blockquote", "section", "article", "header", "footer", "pre"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_SPACE = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES = re.compile(r"\n{3,}")


def to_plain_text(html: str) -> str:
    """Write an HTML document as plain text: paragraphs, list items, links and the texts of pictures are kept."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [line.strip() for line in "".join(reader.parts).split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._links: list[tuple[str, int]] = []  #: address, and how many parts there were before its text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS | _HEADINGS:
            self.parts.append("\n\n" if tag in _HEADINGS | {"p"} else "\n")
        elif tag in {"br", "hr"}:
            self.parts.append("\n" if tag == "br" else "\n----\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in {"td", "th"}:
            self.parts.append(" ")
        elif tag == "img":
            self.parts.append(attributes.get("alt") or "")
        elif tag == "a":
            self._links.append((attributes.get("href") or "", len(self.parts)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(self._silent - 1, 0)
        elif tag in _BLOCKS | _HEADINGS:
            self.parts.append("\n\n" if tag in _HEADINGS | {"p"} else "\n")
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            shown = "".join(self.parts[start:]).strip()
            address = address.removeprefix("mailto:")
            if address and not address.startswith("#") and address != shown:
                self.parts.append(f" ({address})")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(_SPACE.sub(" ", data))
