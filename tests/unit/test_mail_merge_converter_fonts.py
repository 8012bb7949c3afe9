"""Fonts lent to LibreOffice."""

from __future__ import annotations

from pathlib import Path

import pytest
import uharfbuzz as hb

from tests.mail_merge_support import paragraph, write_template
from worker.tasks.mail_merge.converter_fonts import lend_fonts


def lent(folder: Path) -> list[set[str]]:
    """The characters of each font that was lent."""
    faces = [hb.Face(hb.Blob.from_file_path(path)) for path in sorted(folder.glob("fonts/*.otf"))]
    assert all("fvar" not in face.table_tags for face in faces)
    return [{chr(code) for code in face.unicodes} for face in faces]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Åse Łódź Ελένη ליאור", []), ("王氏", [{"王", "氏"}]), ("สวัส 王", [set("สวัส"), {"王"}])],
)
def test_characters_that_few_machines_have_are_lent(tmp_path: Path, text: str, expected: list[set[str]]) -> None:
    names = lend_fonts([write_template(tmp_path, paragraph(text))], tmp_path)
    assert [characters - {" "} for characters in lent(tmp_path)] == expected
    assert str(tmp_path / "fonts") in names.read_text()
