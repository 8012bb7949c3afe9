"""Setting text for a PDF: which fonts, which glyphs, in which order, and how wide that is.

Everything here is in ems, the text's own size, so that one result serves every size.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import uharfbuzz as hb

from worker.tasks.report import pdf_bidi
from worker.tasks.report.fonts import BOLD, REGULAR, Face, Fonts
from worker.tasks.report.pdf_file import text_string

#: What is remembered of texts set before: values of a CRM repeat, and headings are on every page.
_REMEMBERED = 4096
#: Glyph 0 of every font stands for what the font has not; the main font's is a box.
_BOX = 0
_MANY_BOXES = 100
#: Marks that would turn text around or break lines; the text's own letters say enough.
_DROPPED = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0xFEFF, 0xAD])
_SPACES = dict.fromkeys((*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_CLEANED = {**_SURROGATES, **_SPACES, **_DROPPED}


@dataclass(frozen=True, slots=True)
class SetText:
    """A line of text, ready to be drawn."""

    width: float  #: in ems
    operators: str  #: for a text object whose font size is 1


@dataclass(eq=False)
class UsedFont:
    """A font of the document, and what was set in it."""

    face: Face
    resource: str  #: its name on the pages
    texts: dict[int, str] = field(default_factory=dict)  #: what a glyph stands for when it is copied or searched
    #: How wide a glyph was when it was first set. That is not the font's own width for marks, which take no room.
    widths: dict[int, float] = field(default_factory=dict)


def clean(text: str) -> str:
    """Return text without control characters and with letters and their marks in one piece."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", text.translate(_CLEANED))


class Typesetter:
    """Sets the text of one document and remembers what its fonts must hold."""

    def __init__(self, language: str) -> None:
        self._fonts = {
            False: Fonts(weight=REGULAR, language=language),
            True: Fonts(weight=BOLD, language=language),
        }
        self.used: dict[Face, UsedFont] = {}
        self.boxes: dict[str, None] = {}  #: characters that no font has, in order of appearance; not all of very many
        self.set = functools.lru_cache(_REMEMBERED)(self._set)
        self.width = functools.lru_cache(_REMEMBERED)(self._width)

    def _width(self, text: str, bold: bool = False) -> float:
        return self.set(text, bold).width

    def _set(self, text: str, bold: bool = False) -> SetText:
        """Set one line of clean text."""
        width = 0.0
        operators: list[str] = []
        for run, right_to_left in _runs(text):
            for face, part in _in_visual_order(self._fonts[bold].itemise(run), run, right_to_left):
                drawn, advance = (
                    self._shape(face, part, right_to_left) if face else self._draw_boxes(self._fonts[bold].main, part)
                )
                operators.append(drawn)
                width += advance
        return SetText(width / 1000, " ".join(operators))

    def _shape(self, face: Face, text: str, right_to_left: bool) -> tuple[str, float]:
        used = self._use(face)
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if right_to_left else "ltr"
        hb.shape(face.font, buffer)
        shown, width = _Glyphs(used).show(buffer, text)
        return f"/{used.resource} 1 Tf {shown}", width

    def _draw_boxes(self, face: Face, text: str) -> tuple[str, float]:
        for character in text:
            if len(self.boxes) < _MANY_BOXES:
                self.boxes[character] = None
        used = self._use(face)
        used.texts[_BOX] = "\ufffd"
        width = used.widths.setdefault(_BOX, face.advance(_BOX))
        shown = f"/{used.resource} 1 Tf <{'0000' * len(text)}> Tj"
        return f"{_begin_spelling(text)} {shown} EMC", width * len(text)

    def _use(self, face: Face) -> UsedFont:
        return self.used.setdefault(face, UsedFont(face, f"F{len(self.used) + 1}"))


@dataclass(frozen=True, slots=True)
class _Glyph:
    """A glyph in its line, in thousandths of an em."""

    number: int
    cluster: int  #: where the text begins that it stands for
    x: float
    rise: float
    advance: float


def _placed(buffer: hb.Buffer, per_em: float) -> tuple[list[_Glyph], float]:
    """Return where the glyphs of shaped text stand, and the width of them all."""
    glyphs = []
    pen = 0.0
    for info, place in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        advance = place.x_advance * per_em
        x = pen + place.x_offset * per_em
        glyphs.append(_Glyph(info.codepoint, info.cluster, x, place.y_offset * per_em, advance))
        pen += advance
    return glyphs, pen


class _Glyphs:
    """Writes glyphs as PDF shows them: their numbers, and how the next one's place differs from the font's widths."""

    def __init__(self, font: UsedFont) -> None:
        self._font = font
        self._operators: list[str] = []
        self._array: list[str] = []
        self._hex = ""
        self._rise = 0.0
        self._reached = 0.0

    def show(self, buffer: hb.Buffer, text: str) -> tuple[str, float]:
        """Return operators and the width of shaped text."""
        glyphs, width = _placed(buffer, self._font.face.per_em)
        texts = _cluster_texts((glyph.cluster for glyph in glyphs), text)
        for cluster, group in groupby(glyphs, lambda glyph: glyph.cluster):
            self._show_cluster(list(group), texts[cluster])
        self._go_to(width)
        self._lift(0)
        self._flush()
        return " ".join(self._operators), width

    def _show_cluster(self, glyphs: list[_Glyph], text: str) -> None:
        if len(glyphs) == 1 and self._font.texts.setdefault(glyphs[0].number, text) == text:
            self._add(glyphs[0])
            return
        # Readers take the text to stand where the first glyph of a span begins and the last one ends. That is the
        # letter; its marks, which lie over it, stand in a span that has no text.
        letters = [glyph for glyph in glyphs if glyph.advance]
        marks = [glyph for glyph in glyphs if not glyph.advance]
        self._show_span(letters or marks, text)
        if letters and marks:
            self._show_span(marks, "")

    def _show_span(self, glyphs: list[_Glyph], text: str) -> None:
        self._flush()
        self._operators.append(_begin_spelling(text))
        for glyph in glyphs:
            self._font.texts.setdefault(glyph.number, "")
            self._add(glyph)
        self._flush()
        self._operators.append("EMC")

    def _add(self, glyph: _Glyph) -> None:
        self._lift(glyph.rise)
        self._go_to(glyph.x)
        self._hex += f"{glyph.number:04x}"
        self._reached += self._font.widths.setdefault(glyph.number, glyph.advance)

    def _go_to(self, x: float) -> None:
        distance = round(x - self._reached)
        if distance:
            self._close_string()
            self._array.append(str(-distance))
            self._reached += distance

    def _lift(self, rise: float) -> None:
        if rise != self._rise:
            self._flush()
            self._operators.append(f"{rise / 1000:.3f} Ts")
            self._rise = rise

    def _close_string(self) -> None:
        if self._hex:
            self._array.append(f"<{self._hex}>")
            self._hex = ""

    def _flush(self) -> None:
        self._close_string()
        if len(self._array) == 1 and self._array[0].startswith("<"):
            self._operators.append(f"{self._array[0]} Tj")
        elif self._array:
            self._operators.append(f"[{' '.join(self._array)}] TJ")
        self._array = []


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """Cut a line into runs of one direction, from left to right as they are seen."""
    if not pdf_bidi.is_mixed(text):
        yield text, False
        return
    levels = pdf_bidi.levels(text, pdf_bidi.base_level(text))
    for start, end, level in pdf_bidi.visual_runs(levels, 0, len(text)):
        yield text[start:end], level % 2 == 1


def _in_visual_order(
    stretches: list[tuple[Face | None, int]], text: str, right_to_left: bool
) -> Iterable[tuple[Face | None, str]]:
    parts = []
    start = 0
    for face, end in stretches:
        parts.append((face, text[start:end]))
        start = end
    return reversed(parts) if right_to_left else parts


def _cluster_texts(clusters: Iterable[int], text: str) -> dict[int, str]:
    """Cut a text into what each cluster of glyphs stands for, by where it begins."""
    starts = sorted(set(clusters))
    return {start: text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)}


def _begin_spelling(text: str) -> str:
    """Begin a stretch of glyphs that are copied and searched as this text."""
    return f"/Span << /ActualText {text_string(text)} >> BDC"
