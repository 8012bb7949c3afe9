"""Embedding fonts in a PDF: only the glyphs that were used, with their widths and the text that they stand for.

https://pdfa.org/resource/iso-32000-2/, 9.7 and 9.8: composite fonts whose codes are the glyphs' own numbers.
"""

from __future__ import annotations

from worker.tasks.report.fonts import Face
from worker.tasks.report.pdf_file import PdfFile
from worker.tasks.report.pdf_text import UsedFont

_MAPPINGS_PER_BLOCK = 100
_SYMBOLIC = 4
#: Of marks, whose letter has the text: some readers copy a glyph's number if they find nothing at all.
_NO_TEXT = "\u200b"


def embed(file: PdfFile, used: UsedFont) -> int:
    """Write a font and return the number of its object."""
    face = used.face
    glyphs = sorted(used.texts)
    name = f"/{_tag(used)}+{face.name}"
    kind = "/CIDFontType2 /CIDToGIDMap /Identity" if face.is_truetype else "/CIDFontType0"
    descendant = file.add(
        f"<< /Type /Font /Subtype {kind} /BaseFont {name} /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity)"
        f" /Supplement 0 >> /FontDescriptor {_add_descriptor(file, face, glyphs, name)} 0 R /DW 1000"
        f" /W [{' '.join(f'{glyph} [{used.widths[glyph]:.0f}]' for glyph in glyphs)}] >>"
    )
    mapping = file.add_stream(_to_unicode(used.texts).encode("ascii"))
    return file.add(
        f"<< /Type /Font /Subtype /Type0 /BaseFont {name} /Encoding /Identity-H /DescendantFonts [{descendant} 0 R]"
        f" /ToUnicode {mapping} 0 R >>"
    )


def _tag(used: UsedFont) -> str:
    """Return six letters, different for each subset, as the format wants them before a subset's name."""
    number = int(used.resource[1:])
    return "".join(chr(ord("A") + number // 26**place % 26) for place in range(6))


def _add_descriptor(file: PdfFile, face: Face, glyphs: list[int], name: str) -> int:
    subset = face.subset([0, *glyphs])
    if face.is_truetype:
        data = subset.blob.data
        program = f"/FontFile2 {file.add_stream(data, f'/Length1 {len(data)}')} 0 R"
    else:
        data = subset.reference_table("CFF ").data
        program = f"/FontFile3 {file.add_stream(data, '/Subtype /CIDFontType0C')} 0 R"
    return file.add(
        f"<< /Type /FontDescriptor /FontName {name} /Flags {_SYMBOLIC} /FontBBox [-1000 -500 2000 1500]"
        f" /ItalicAngle 0 /Ascent 1069 /Descent -293 /CapHeight 714 /StemV 80 {program} >>"
    )


def _to_unicode(texts: dict[int, str]) -> str:
    pairs = [
        f"<{glyph:04x}> <{(text or _NO_TEXT).encode('utf-16-be', 'replace').hex()}>"
        for glyph, text in sorted(texts.items())
    ]
    blocks = [pairs[start : start + _MAPPINGS_PER_BLOCK] for start in range(0, len(pairs), _MAPPINGS_PER_BLOCK)]
    lines = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /Adobe-Identity-UCS def\n"
        "/CMapType 2 def\n1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n"
        f"{lines}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    )
