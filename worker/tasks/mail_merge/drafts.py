"""Drafts: what became of each recipient so far, one file for each attempt, only ever appended to.

A draft survives its process: an entry is in it whole or counts as absent, so the next attempt goes on behind the last
one that is whole. It reads an earlier draft up to a place that it noted first; whoever may still write behind that
place, on this machine or another one, does no harm.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec

_HEAD = struct.Struct("<II")  #: length of an entry and its checksum


class HeaderPart(msgspec.Struct, frozen=True, array_like=True):
    """A header or footer that the letter was the first to need."""

    header: int  #: its place among the template's headers
    digest: bytes  #: of what it shows
    data: bytes


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What became of one recipient: a letter, or a reason why there is none."""

    contact_id: int
    person_id: int
    reason: str = ""
    xml: bytes = b""
    section_at: int = 0  #: where its section's properties begin, which the last letter has elsewhere
    section_bytes: int = 0
    headers: tuple[HeaderPart, ...] = ()
    notes: tuple[bytes, ...] = ()  #: its footnotes and endnotes, for each part that the template has for them
    text: str = ""  #: of the recipient's label, or the name of its file
    pdf: bytes = b""  #: that was made of a letter earlier in the draft

    @property
    def is_made(self) -> bool:
        """True for a letter or label, False for a reason and for what was made of a letter later."""
        return not self.reason and not self.pdf


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


class Draft:
    """A new draft, to be written by one attempt."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self.bytes = 0

    def add(self, entry: Entry) -> None:
        """Append an entry; the end of this process does not undo it, the end of the machine may."""
        body = _encoder.encode(entry)
        self._file.write(_HEAD.pack(len(body), zlib.crc32(body)) + body)
        self._file.flush()
        self.bytes += _HEAD.size + len(body)

    def sync(self) -> None:
        """Bring all entries to the disk."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> Draft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_entries(path: Path, size: int | None = None) -> Iterator[Entry]:
    """Yield the entries of a draft's first `size` bytes, or all that are whole."""
    for entry, _ in _read(path, size):
        yield entry


def whole_bytes(path: Path) -> int:
    """How far a draft's entries are whole; 0 if there is none."""
    try:
        return max((end for _, end in _read(path, None)), default=0)
    except FileNotFoundError:
        return 0


def _read(path: Path, size: int | None) -> Iterator[tuple[Entry, int]]:
    end = 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size if size is None else size
        while end + _HEAD.size <= size:
            length, checksum = _HEAD.unpack(file.read(_HEAD.size))
            end += _HEAD.size + length
            if end > size:
                return  # torn, or no draft at all: its "length" may be anything
            body = file.read(length)
            if zlib.crc32(body) != checksum:
                return
            yield _decoder.decode(body), end
