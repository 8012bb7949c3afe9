"""The fonts that reports are set in: the Noto family, brought by two packages, so that every machine prints alike.

Nothing is taken from the machine: what it has installed differs, and may not be embedded.
"""

from __future__ import annotations

import functools
import importlib.util
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import uharfbuzz as hb

REGULAR = 400
BOLD = 650

_PACKAGE = "manimgx_fonts"
_CJK_PACKAGE = "manimgx_fonts_cjk"
_LATIN = "NotoSans[wght].ttf"
_SCRIPTS = (
    "Arabic", "Hebrew", "Armenian", "Georgian", "Thai", "Lao", "Khmer", "Myanmar", "Devanagari", "Bengali",
    "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Ethiopic",
)  # fmt: skip
_CJK = "NotoSansCJK-VF.otf.ttc"
_LAST = ("NotoSansSymbols[wght].ttf", "NotoEmoji[wght].ttf")
#: Faces of the collection. They differ in the shapes of those Han characters that each country writes its own way.
_JAPANESE, _KOREAN, _SIMPLIFIED, _TRADITIONAL, _HONG_KONG = range(5)
_CJK_FACES = {
    "ja": _JAPANESE, "ko": _KOREAN, "zh-tw": _TRADITIONAL, "zh-hant": _TRADITIONAL, "zh-hk": _HONG_KONG,
}  # fmt: skip
_FOR_SHAPING = ("GSUB", "GPOS", "GDEF", "BASE", "STAT", "VORG", "vhea", "vmtx")  #: of no use to a reader of the PDF
#: Marks and joiners are set in the font of the letter before them, if it has them.
_DEPENDENT = frozenset(("Mn", "Me", "Mc", "Cf"))


class Face:
    """One font in one weight, ready to shape text.

    Lengths are in thousandths of the text's size, as PDF counts them.
    """

    def __init__(self, path: Path, index: int, weight: int) -> None:
        self.face = _open(path, index)
        self.weight = weight
        self.font = hb.Font(self.face)
        self.font.set_variations({"wght": weight})
        self.per_em = 1000 / self.face.upem
        self.is_truetype = "glyf" in self.face.table_tags
        self.name = f"{path.name.split('[')[0].split('-VF')[0]}-{index}-{weight}"

    def has(self, character: str) -> bool:
        return self.font.get_nominal_glyph(ord(character)) is not None

    def advance(self, glyph: int) -> float:
        """Return the width of a glyph that stands alone."""
        return float(self.font.get_glyph_h_advance(glyph) * self.per_em)

    def subset(self, glyphs: Iterable[int]) -> hb.Face:
        """Return a font of these glyphs only, under their old numbers and in this weight."""
        wanted = hb.SubsetInput()
        wanted.glyph_set.update(glyphs)
        wanted.pin_axis_location(self.face, "wght", self.weight)
        wanted.drop_table_tag_set.update(int.from_bytes(tag.encode()) for tag in _FOR_SHAPING)
        wanted.flags = (
            hb.SubsetFlags.RETAIN_GIDS
            | hb.SubsetFlags.NOTDEF_OUTLINE
            | hb.SubsetFlags.NO_HINTING
            | hb.SubsetFlags.NO_LAYOUT_CLOSURE
            | hb.SubsetFlags.DOWNGRADE_CFF2
            | hb.SubsetFlags.CFF_IDENTITY_CHARSET
        )
        return wanted.subset(self.face)


@functools.cache
def _open(path: Path, index: int) -> hb.Face:
    return hb.Face(hb.Blob.from_file_path(path), index)


class Fonts:
    """Finds the font that has a character; one weight, for readers of one language."""

    def __init__(self, *, weight: int, language: str) -> None:
        self._weight = weight
        self._reader_face = _face_of(language)
        self._faces: dict[tuple[str, int], Face] = {}
        self._found: dict[tuple[str, int], Face | None] = {}
        self.main = self._face(_LATIN, 0)

    def itemise(self, text: str) -> list[tuple[Face | None, int]]:
        """Say which font each stretch of a text is set in, and where the stretch ends; None if no font has it."""
        cjk = self._cjk_face(text)
        stretches: list[tuple[Face | None, int]] = []
        current: Face | None = self.main
        for position, character in enumerate(text):
            face = self._face_for(character, cjk, current)
            if stretches and face is current:
                stretches[-1] = (face, position + 1)
            else:
                stretches.append((face, position + 1))
            current = face
        return stretches

    def _face_for(self, character: str, cjk: int, current: Face | None) -> Face | None:
        if unicodedata.category(character) in _DEPENDENT and current is not None and current.has(character):
            return current
        key = (character, cjk)
        if key not in self._found:
            self._found[key] = next((face for face in self._chain(cjk) if face.has(character)), None)
        return self._found[key]

    def _chain(self, cjk: int) -> Iterable[Face]:
        yield self.main
        for script in _SCRIPTS:
            yield self._face(f"NotoSans{script}[wght].ttf", 0)
        yield self._face(_CJK, cjk)
        for name in _LAST:
            yield self._face(name, 0)

    def _face(self, name: str, index: int) -> Face:
        key = (name, index)
        if key not in self._faces:
            self._faces[key] = Face(_folder(_CJK_PACKAGE if name == _CJK else _PACKAGE) / name, index, self._weight)
        return self._faces[key]

    def _cjk_face(self, text: str) -> int:
        """Choose the country whose Han characters are meant: kana and hangul tell, else the reader's language."""
        if text.isascii():
            return self._reader_face
        if any("\u3040" <= character <= "\u30ff" for character in text):
            return _JAPANESE
        if any("\uac00" <= character <= "\ud7a3" for character in text):
            return _KOREAN
        return self._reader_face


def _face_of(language: str) -> int:
    lowered = language.lower().replace("_", "-")
    return _CJK_FACES.get(lowered, _CJK_FACES.get(lowered.partition("-")[0], _SIMPLIFIED))


def rare_faces() -> Iterator[hb.Face]:
    """Iterate over the fonts of single scripts, Chinese last."""
    for script in _SCRIPTS:
        yield _open(_folder(_PACKAGE) / f"NotoSans{script}[wght].ttf", 0)
    yield _open(_folder(_CJK_PACKAGE) / _CJK, _SIMPLIFIED)


@functools.cache
def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"No package {package}: the fonts of reports. Install batchtask[worker].")
    return Path(found.origin).parent
