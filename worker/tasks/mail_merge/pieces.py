"""What a compiled template is made of: fixed bytes, and slots that become bytes for one letter.

A template is taken apart once (`compile`); then every letter is one pass over a list of pieces. Slots for text
are filled with a recipient's values; the other slots keep ids unique in a document that holds many letters.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from xml.sax.saxutils import escape

#: A variable, perhaps. Shorter things in braces, or those with a blank in them, are the author's own text.
CANDIDATE = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{2,30}[?#.]?)\}")
#: What XML 1.0 cannot hold, escaped or not: https://www.w3.org/TR/xml/#charsets
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_NAME_CHARACTERS = 40  # Word's limit for the name of a bookmark


@dataclass(kw_only=True)
class Letter:
    """What the slots may ask about the letter that is being written."""

    index: int  #: from 0
    values: Mapping[str, str]  #: by variable name
    parts: Mapping[str, str] = field(default_factory=dict)  #: relationship id of each header and footer
    copy: int = 0  #: of a header or footer, from 1: ids in it are counted by copies, not by letters


class Slot(Protocol):
    def render(self, letter: Letter) -> bytes: ...


Piece = bytes | Slot


def render(pieces: Iterable[Piece], letter: Letter) -> bytes:
    return b"".join([piece if isinstance(piece, bytes) else piece.render(letter) for piece in pieces])


@dataclass(frozen=True, kw_only=True)
class TextSlot(ABC):
    """Text inside a `w:t` that depends on the recipient; line breaks and tabs end the `w:t` and open another."""

    prefix: str = "w"  #: of the WordprocessingML namespace in this part

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """Variables that it depends on."""

    @abstractmethod
    def of(self, values: Mapping[str, str]) -> str:
        """Return the text for a recipient."""

    def render(self, letter: Letter) -> bytes:
        return self.encode(self.of(letter.values))

    def encode(self, value: str) -> bytes:
        text = escape(_FORBIDDEN.sub("", _LINE_ENDS.sub("\n", value)))
        if "\n" in text or "\t" in text:
            text = self._break(self._break(text, "\n", "br"), "\t", "tab")
        return text.encode()

    def _break(self, text: str, character: str, element: str) -> str:
        prefix = self.prefix
        return text.replace(character, f'</{prefix}:t><{prefix}:{element}/><{prefix}:t xml:space="preserve">')


@dataclass(frozen=True, kw_only=True)
class Text(TextSlot):
    """The value of a variable."""

    name: str
    case: str = ""  #: upper, lower, first, caps; "" leaves the value alone
    before: str = ""  #: text to put before a value that is not empty
    after: str = ""

    @property
    def names(self) -> frozenset[str]:
        return frozenset({self.name})

    def of(self, values: Mapping[str, str]) -> str:
        value = change_case(values[self.name], self.case)
        return f"{self.before}{value}{self.after}" if value else ""


@dataclass(frozen=True, kw_only=True)
class RightToLeft:
    """The run property that Word needs to set Arabic and Hebrew in reading order."""

    text: TextSlot

    def render(self, letter: Letter) -> bytes:
        value = self.text.of(letter.values)
        if value.isascii() or not _RIGHT_TO_LEFT.search(value):
            return b""
        return f"<{self.text.prefix}:rtl/>".encode()


@dataclass(frozen=True, kw_only=True)
class Number:
    """An id that must differ between letters: `count` ids are used by each of them."""

    first: int
    count: int
    offset: int

    def render(self, letter: Letter) -> bytes:
        return b"%d" % (self.first + (letter.copy or letter.index) * self.count + self.offset)


@dataclass(frozen=True, kw_only=True)
class ListNumber:
    """The list a paragraph belongs to. Each letter but the first has lists of its own, or they would count on."""

    original: int
    own: Number

    def render(self, letter: Letter) -> bytes:
        return self.own.render(letter) if letter.index else b"%d" % self.original


@dataclass(frozen=True, kw_only=True)
class BookmarkName:
    original: str

    def render(self, letter: Letter) -> bytes:
        number = letter.copy or letter.index
        if not number:
            return escape(self.original).encode()
        suffix = f"_{number}"
        return escape(self.original[: _NAME_CHARACTERS - len(suffix)] + suffix).encode()


@dataclass(frozen=True)
class EndMark:
    """The name of the bookmark at the end of the letter; the page it is on is the letter's number of pages."""

    def render(self, letter: Letter) -> bytes:
        return b"EndOfLetter%d" % (letter.index + 1)


@dataclass(frozen=True, kw_only=True)
class PartReference:
    """The relationship id of a header or footer."""

    name: str

    def render(self, letter: Letter) -> bytes:
        return letter.parts[self.name].encode()


@dataclass(frozen=True)
class Boundary:
    """Where opening, letter and closing of a document meet."""

    def render(self, letter: Letter) -> bytes:
        return b""


@dataclass(frozen=True, kw_only=True)
class SectionBreak:
    """The section's properties at the end of a letter; whoever writes the document moves the last letter's."""

    pieces: list[Piece]

    def render(self, letter: Letter) -> bytes:
        return render(self.pieces, letter)


@dataclass(frozen=True, kw_only=True)
class Optional:
    """A paragraph of nothing but variables: it is left out when all of them are empty."""

    texts: tuple[TextSlot, ...]
    pieces: list[Piece]

    def render(self, letter: Letter) -> bytes:
        if any(text.of(letter.values).strip() for text in self.texts):
            return render(self.pieces, letter)
        return b""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The lines of a paragraph; a line left out takes its line break with it."""

    lines: list[list[Piece]]  #: an `Optional` alone is a line that may go
    separator: bytes

    def render(self, letter: Letter) -> bytes:
        kept = [line for line in self.lines if not _is_gone(line, letter)]
        return self.separator.join(render(line, letter) for line in kept)


def _is_gone(line: Sequence[Piece], letter: Letter) -> bool:
    return len(line) == 1 and isinstance(line[0], Optional) and not line[0].render(letter)


def change_case(value: str, case: str) -> str:
    """Apply a letter case: of Word's `\\*` switch, or of the variable's own letters."""
    match case:
        case "upper":
            return value.upper()
        case "lower":
            return value.lower()
        case "first":
            return value[:1].upper() + value[1:]
        case "caps":
            return re.sub(r"(^|\s)(\w)", lambda found: found[1] + found[2].upper(), value)
    return value


def texts_in(pieces: Iterable[Piece]) -> Iterator[TextSlot]:
    """Iterate over the texts that depend on the recipient."""
    for piece in pieces:
        if isinstance(piece, Optional | SectionBreak):
            yield from texts_in(piece.pieces)
        elif isinstance(piece, Lines):
            for line in piece.lines:
                yield from texts_in(line)
        elif isinstance(piece, TextSlot):
            yield piece


def text_names(pieces: Iterable[Piece]) -> set[str]:
    """List the variables that these pieces show."""
    return set().union(*(text.names for text in texts_in(pieces)))
