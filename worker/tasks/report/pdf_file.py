"""Writing the objects of a PDF file one after another, so that a document of any length takes little memory.

Only the syntax: https://pdfa.org/resource/iso-32000-2/, 7.3 to 7.5. What pages look like is told elsewhere.
"""

from __future__ import annotations

import zlib
from array import array
from typing import BinaryIO

#: A fast level: the level that zlib takes by itself makes files 4 % smaller and takes twice the time.
_COMPRESSION = 3


def text_string(text: str) -> str:
    """Write text for a PDF reader's own windows: titles and bookmarks."""
    return f"<FEFF{text.encode('utf-16-be', 'replace').hex()}>"


class PdfFile:
    """A PDF file being written; objects may refer to others that are written later."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._position = 0
        self._offsets = array("Q", [0])
        self._put(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self) -> int:
        """Take the number of an object that will be written."""
        self._offsets.append(0)
        return len(self._offsets) - 1

    def write(self, number: int, body: str) -> None:
        """Write an object under a reserved number."""
        self._offsets[number] = self._position
        self._put(f"{number} 0 obj\n{body}\nendobj\n".encode("ascii"))

    def write_stream(self, number: int, data: bytes, entries: str = "") -> None:
        """Write a stream, compressed; `entries` are added to its dictionary."""
        packed = zlib.compress(data, _COMPRESSION)
        self._offsets[number] = self._position
        head = f"{number} 0 obj\n<< /Length {len(packed)} /Filter /FlateDecode {entries} >>\nstream\n"
        self._put(head.encode("ascii") + packed + b"\nendstream\nendobj\n")

    def add(self, body: str) -> int:
        number = self.reserve()
        self.write(number, body)
        return number

    def add_stream(self, data: bytes, entries: str = "") -> int:
        number = self.reserve()
        self.write_stream(number, data, entries)
        return number

    def finish(self, *, root: int, info: int) -> None:
        """Write the table of objects; nothing may follow."""
        table = self._position
        self._put(f"xref\n0 {len(self._offsets)}\n0000000000 65535 f \n".encode("ascii"))
        for offset in self._offsets[1:]:
            self._put(b"%010d 00000 n \n" % offset)
        trailer = f"<< /Size {len(self._offsets)} /Root {root} 0 R /Info {info} 0 R >>"
        self._put(f"trailer\n{trailer}\nstartxref\n{table}\n%%EOF\n".encode("ascii"))

    def _put(self, data: bytes) -> None:
        self._output.write(data)
        self._position += len(data)
