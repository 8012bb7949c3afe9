"""What stands between the data of a report and its looks: a sheet, and lines of text that are ready to print.

Whoever makes the lines has chosen the rows, translated, formatted and added up; whoever prints them knows nothing of
the CRM.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

TWIPS_PER_INCH = 1440
PAPER_WIDTH, PAPER_HEIGHT = 11906, 16838  #: portrait A4, in twips


class Align(enum.Enum):
    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


class LineKind(enum.Enum):
    """What a line is, and so how it looks."""

    DETAIL = "detail"  #: one record
    GROUP = "group"  #: heading of a group: its only cell is the text
    TOTAL = "total"  #: sums of a group, or of all if `level` is 0


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a list."""

    heading: str
    width: float = 1.0  #: share of the page, relative to the other columns
    align: Align = Align.LEFT


@dataclass(frozen=True, kw_only=True)
class Line:
    """One printed line; a long cell wraps."""

    kind: LineKind
    cells: Sequence[str]  #: one per column; "" prints nothing
    level: int = 0  #: of groups within groups, from 1 for the outermost; 0 = outside all


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The page that lines are printed on; lengths in twips, 1/1440 inch."""

    title: str
    columns: Sequence[Column]
    subtitle: Sequence[str] = ()  #: criteria in words, one line each, below the title on the first page
    footer: str = ""  #: who printed it and when; the page's number is added
    page_word: str = "Page {page} of {pages}"  #: in the reader's language
    empty: str = ""  #: printed instead of lines when there are none
    paper_width: int = PAPER_WIDTH
    paper_height: int = PAPER_HEIGHT
    left_margin: int = 720
    right_margin: int = 720
    top_margin: int = 720
    bottom_margin: int = 720
    landscape: bool = False  #: turns the paper
    language: str = "en"


@dataclass(frozen=True, kw_only=True)
class LabelSheet:
    """A sheet of labels, as `crm7.sorlabellayout` has it; lengths in twips."""

    paper_width: int
    paper_height: int
    left_margin: int
    right_margin: int
    top_margin: int
    bottom_margin: int
    columns: int
    rows: int
    landscape: bool = False
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Label:
    """One label: the lines of an address."""

    lines: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What came of printing."""

    pages: int = 0  #: of a PDF
    boxes: str = ""  #: characters that no font has: boxes stand in their place. The first hundred of them

    @property
    def warning(self) -> str:
        """What the user should know; empty if all is well."""
        if not self.boxes:
            return ""
        named = ", ".join(f"{character} (U+{ord(character):04X})" for character in self.boxes)
        return f"No font has these characters, so that boxes stand in their place: {named}."
