"""Fonts that LibreOffice is lent: the characters of some documents that few machines have a font for.

A machine without Chinese fonts would print boxes, and nobody would be told. Of the fonts of reports only the
characters in use are lent, in one weight: LibreOffice cannot embed variable fonts. All else looks as before.
"""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import uharfbuzz as hb

from worker.tasks.report.fonts import REGULAR, rare_faces

_SYSTEM_FONTS = "/etc/fonts/fonts.conf"
_CHUNK_BYTES = 1 << 20
_FIRST_RARE = "\u0900"  # DejaVu, which comes with fontconfig, has the scripts before


def lend_fonts(documents: Sequence[Path], folder: Path) -> Path:
    """Write the fonts that documents may lack, and return the file that names all fonts, for FONTCONFIG_FILE.

    https://www.freedesktop.org/software/fontconfig/fontconfig-user.html
    """
    lent = folder / "fonts"
    lent.mkdir(exist_ok=True)
    characters = {found for document in documents for found in _rare_characters(document)}
    for place, data in enumerate(_subsets(characters)):
        (lent / f"{place}.otf").write_bytes(data)
    path = folder / "fonts.conf"
    path.write_text(
        f'<fontconfig><include ignore_missing="yes">{_SYSTEM_FONTS}</include><dir>{escape(str(lent))}</dir>'
        f"<cachedir>{escape(str(folder / 'font-cache'))}</cachedir></fontconfig>"
    )
    return path


def _rare_characters(document: Path) -> set[str]:
    found: set[str] = set()
    with zipfile.ZipFile(document) as archive:
        for name in archive.namelist():
            if not name.endswith(".xml"):
                continue
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            with archive.open(name) as part:
                while chunk := part.read(_CHUNK_BYTES):
                    found.update(decoder.decode(chunk))
    return {character for character in found if character >= _FIRST_RARE}


def _subsets(characters: set[str]) -> Iterable[bytes]:
    """Make a font of the characters that each of the fonts of reports has."""
    wanted = {ord(character) for character in characters}
    for face in rare_faces() if wanted else ():
        if here := wanted & set(face.unicodes):
            wanted -= here
            yield bytes(_subset(face, here).blob.data)


def _subset(face: hb.Face, characters: set[int]) -> hb.Face:
    chosen = hb.SubsetInput()
    chosen.unicode_set.update(characters)
    chosen.pin_axis_location(face, "wght", REGULAR)
    chosen.flags = hb.SubsetFlags.DOWNGRADE_CFF2 | hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NOTDEF_OUTLINE
    return chosen.subset(face)
