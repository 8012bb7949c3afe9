from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.tasks.report.model import Align, Column, Line, LineKind, Sheet
from worker.tasks.report.pdf_lines import break_lines
from worker.tasks.report.printing import render_csv, render_text
from worker.tasks.report.text import display_width

_COLUMNS = (Column(heading="Name"), Column(heading="Sum", align=Align.RIGHT))


def _detail(*cells: str) -> Line:
    return Line(kind=LineKind.DETAIL, cells=cells)


def _text(folder: Path, lines: Sequence[Line], **changes: str) -> list[str]:
    path = folder / "report.txt"
    render_text(Sheet(title="Kunder", columns=_COLUMNS, **changes), lines, path, lambda _: None)  # type: ignore[arg-type]
    return path.read_text("utf-8").split("\n")


def _csv(folder: Path, lines: Sequence[Line], language: str = "nb") -> str:
    path = folder / "report.csv"
    render_csv(Sheet(title="", columns=_COLUMNS, language=language), lines, path, lambda _: None)
    return path.read_bytes().decode("utf-8")


def test_columns_are_aligned_as_a_terminal_shows_them(tmp_path: Path) -> None:
    lines = [_detail("Kari", "1"), _detail("王小明", "22"), _detail("e\u0301va", "333"), _detail("김", "4")]
    rows = [line for line in _text(tmp_path, lines) if line and line[-1].isdigit()]
    assert len(rows) == 4
    assert {display_width(row) for row in rows} == {len("王小明") * 2 + len("  333")}


def test_text_has_title_criteria_groups_totals_and_footer(tmp_path: Path) -> None:
    lines = [
        Line(kind=LineKind.GROUP, cells=["Norway"], level=1),
        _detail("Kari", "1 000"),
        Line(kind=LineKind.TOTAL, cells=["Total", "1 000"], level=0),
    ]
    assert _text(tmp_path, lines, footer="Printed by Ola")[:-1] == [
        "Kunder", "======", "", "Name     Sum", "-----  -----", "", "Norway", "Kari   1 000", "=====  =====",
        "Total  1 000", "", "Printed by Ola",
    ]  # fmt: skip


def test_text_without_lines_says_so(tmp_path: Path) -> None:
    assert "Nothing." in _text(tmp_path, [], empty="Nothing.")


def test_late_long_cells_wrap_in_their_column(tmp_path: Path) -> None:
    lines = [*[_detail("short", "1")] * 600, _detail("a long cell\nof two lines", "2")]
    assert _text(tmp_path, lines)[-9:-6] == ["a        2", "long", "cell"]


def test_spreadsheets_find_the_encoding_and_the_separator(tmp_path: Path) -> None:
    assert _csv(tmp_path, [_detail("Åse; 王", "1,5")]) == '\ufeffName;Sum\r\n"Åse; 王";1,5\r\n'
    assert _csv(tmp_path, [_detail("Åse", "1.5")], "en-US") == "\ufeffName,Sum\r\nÅse,1.5\r\n"


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-A1", "\t=1", " =1", "＝1"])
def test_no_cell_is_run_as_a_formula(tmp_path: Path, cell: str) -> None:
    assert f"'{cell}" in _csv(tmp_path, [_detail(cell, "")])


@pytest.mark.parametrize("cell", ["-12,50", "+47 22 33 44 55", "a=b", "kari@example.no", "-"])
def test_numbers_and_names_stay_as_they_are(tmp_path: Path, cell: str) -> None:
    assert f"\r\n{cell};" in _csv(tmp_path, [_detail(cell, "")])


@pytest.mark.parametrize("render", [render_text, render_csv])
def test_nothing_is_left_behind_when_writing_is_stopped(tmp_path: Path, render: type) -> None:
    def stop(_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        render(Sheet(title="", columns=_COLUMNS), [_detail("a", "b")], tmp_path / "report", stop)
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()), max_size=6))
def test_any_cells_come_back_from_a_table(cells: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = _csv(Path(folder), [_detail(*pair) for pair in cells])
        rows = list(csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), delimiter=";"))
        assert _text(Path(folder), [_detail(*pair) for pair in cells])
    assert len(rows) >= len(cells) + 1


@given(st.text(alphabet="ab 王、-.@é\u0301🙂", max_size=60), st.integers(2, 12))
def test_breaking_lines_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = break_lines(text, width, display_width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(display_width(line) <= width for line in lines)


def test_lines_end_between_words_and_han_characters_and_after_signs() -> None:
    assert break_lines("one two three", 8, len) == ["one two", "three"]
    assert break_lines("東京、大阪", 3, len) == ["東京、", "大阪"]
    assert break_lines("kari@example.no", 9, len) == ["kari@", "example.", "no"]
    assert break_lines("abcdefgh", 3, len) == ["abc", "def", "gh"]


def test_marks_that_turn_a_line_around_are_not_printed(tmp_path: Path) -> None:
    turned = Line(kind=LineKind.DETAIL, cells=["\u202eliame\u202c", "b"])
    sheet = Sheet(title="\u2067T\u2069", columns=[Column(heading="A"), Column(heading="B")])
    render_text(sheet, [turned], tmp_path / "a.txt", lambda _: None)
    text = (tmp_path / "a.txt").read_text()
    assert "liame  b" in text
    assert not set(text) & set("\u202e\u202c\u2067\u2069")
