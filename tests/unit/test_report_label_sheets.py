from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import pdfs
from worker.tasks.report.model import Label, LabelSheet
from worker.tasks.report.printing import render_labels

_SHEET = LabelSheet(
    paper_width=11906, paper_height=16838, left_margin=400, right_margin=700, top_margin=600, bottom_margin=1000,
    columns=3, rows=8, title="Labels",
)  # fmt: skip


def _print(folder: Path, texts: Sequence[Sequence[str]], sheet: LabelSheet = _SHEET, *, start: int = 1) -> Path:
    path = folder / "labels.pdf"
    render_labels(sheet, [Label(lines=lines) for lines in texts], path, lambda _: None, start=start)
    return path


def _boxes(sheet: LabelSheet, width: float, height: float) -> list[tuple[float, float, float, float]]:
    """Compute left, bottom, right and top of each label in points, as the CRM documents its layouts."""
    label_width = (width * 20 - sheet.left_margin - sheet.right_margin) / sheet.columns
    label_height = (height * 20 - sheet.top_margin - sheet.bottom_margin) / sheet.rows
    return [
        (
            (sheet.left_margin + column * label_width) / 20,
            height - (sheet.top_margin + (row + 1) * label_height) / 20,
            (sheet.left_margin + (column + 1) * label_width) / 20,
            height - (sheet.top_margin + row * label_height) / 20,
        )
        for row in range(sheet.rows)
        for column in range(sheet.columns)
    ]


def _place(letter: pdfs.Letter, boxes: Sequence[tuple[float, float, float, float]]) -> int:
    """Find the label that all of a letter lies in."""
    return next(
        place
        for place, (left, bottom, right, top) in enumerate(boxes)
        if left < letter.left and letter.right < right and bottom < letter.bottom and letter.top < top
    )


@pytest.mark.parametrize("landscape", [False, True])
def test_labels_stand_in_their_places_row_by_row(tmp_path: Path, landscape: bool) -> None:
    values = {name: getattr(_SHEET, name) for name in _SHEET.__dataclass_fields__}
    sheet = LabelSheet(**{**values, "landscape": landscape})
    letters = "ABCDEFGHIJKLMNOPQRSTUVWX"
    path = _print(tmp_path, [[letter * 3] * 2 for letter in letters], sheet)
    boxes = _boxes(sheet, *((841.9, 595.3) if landscape else (595.3, 841.9)))
    assert {(letter.text, _place(letter, boxes)) for letter in pdfs.letters(path)} == {
        (letter, place) for place, letter in enumerate(letters)
    }


def test_a_full_sheet_is_followed_by_another(tmp_path: Path) -> None:
    texts = pdfs.pages(_print(tmp_path, [[f"label-{i}-"] for i in range(25)]))
    assert len(texts) == 2
    assert texts[1].strip() == "label-24-"


def test_printing_begins_at_the_first_free_label(tmp_path: Path) -> None:
    path = _print(tmp_path, [["first"], ["second"]], start=24)
    assert [text.strip() for text in pdfs.pages(path)] == ["first", "second"]
    assert {_place(letter, _boxes(_SHEET, 595.3, 841.9)) for letter in pdfs.letters(path)} == {23}


@pytest.mark.parametrize(
    "lines",
    [
        ["x" * 400],
        ["Wort " * 200],
        [f"line {i}" for i in range(60)],
        ["株式会社" * 60, "محمد " * 40, "q" * 90],
        ["ÅŚẬ" * 3, "gjpqy"] * 4,
    ],
)
def test_text_never_leaves_its_label(tmp_path: Path, lines: list[str]) -> None:
    path = _print(tmp_path, [lines], start=5)
    boxes = _boxes(_SHEET, 595.3, 841.9)
    found = pdfs.letters(path)
    assert {_place(letter, boxes) for letter in found} == {4}
    assert len(found) >= len("".join(lines).replace(" ", "")) * 0.9


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text(max_size=80), max_size=8), max_size=5))
def test_any_text_is_printed_on_labels(tmp_path: Path, texts: list[list[str]]) -> None:
    assert len(pdfs.pages(_print(tmp_path, texts))) == 1


def test_nothing_is_left_behind_when_printing_labels_is_stopped(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        render_labels(_SHEET, [Label(lines=["a"])], tmp_path / "labels.pdf", stop)
    assert list(tmp_path.iterdir()) == []
