from __future__ import annotations

from pathlib import Path

import pytest

from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.testing import FakeContext
from tests.mail_merge_support import paragraph, write_template
from worker.tasks.mail_merge.pdf import convert


def program(folder: Path, *lines: str) -> str:
    """A stand-in for LibreOffice, which is given six options and then the folder."""
    path = folder / "soffice"
    path.write_text("\n".join(("#!/bin/sh", *lines)))
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    return FakeContext(database_url="", folder=tmp_path)


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    return write_template(tmp_path, paragraph("Åse")).rename(tmp_path / "letters.docx")


def test_the_converters_file_is_returned(tmp_path: Path, letters: Path, context: FakeContext) -> None:
    [made] = convert(program(tmp_path, "shift 6; echo pdf > $1/letters.pdf"), [letters], tmp_path, context)
    assert made.read_text() == "pdf\n"


@pytest.mark.parametrize("line", ["exit 1", "exit 0"])
def test_a_converter_that_makes_nothing_is_a_failure(
    tmp_path: Path, letters: Path, context: FakeContext, line: str
) -> None:
    with pytest.raises(TaskFailure, match="LibreOffice could not make the PDF"):
        convert(program(tmp_path, line), [letters], tmp_path, context)


def test_a_request_to_stop_kills_the_converter_and_its_children(
    tmp_path: Path, letters: Path, context: FakeContext
) -> None:
    context.cancel_after = 0
    with pytest.raises(CancelledByRequest):
        convert(program(tmp_path, "sleep 60 & sleep 60"), [letters], tmp_path, context)


def test_the_converter_is_told_of_the_fonts_that_it_is_lent(
    tmp_path: Path, letters: Path, context: FakeContext
) -> None:
    stand_in = program(tmp_path, "shift 6", 'cat "$FONTCONFIG_FILE" > $1/letters.pdf')
    [made] = convert(stand_in, [letters], tmp_path, context)
    assert f"<dir>{tmp_path}/fonts</dir>" in made.read_text()
