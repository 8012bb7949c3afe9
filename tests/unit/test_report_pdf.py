from __future__ import annotations

import itertools
import re
import resource
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import pdfs
from worker.tasks.report.model import Align, Column, Line, LineKind, Printed, Sheet
from worker.tasks.report.printing import render_pdf

_COLUMNS = (
    Column(heading="Company", width=3),
    Column(heading="Name", width=3),
    Column(heading="Sum", align=Align.RIGHT),
)


def _nothing(_: int) -> None:
    pass


def _sheet(**changes: object) -> Sheet:
    return Sheet(**{"title": "Customers", "columns": _COLUMNS, "footer": "Printed by Kari", **changes})  # type: ignore[arg-type]


def _detail(*cells: str) -> Line:
    return Line(kind=LineKind.DETAIL, cells=cells)


def _group(title: str, level: int = 1) -> Line:
    return Line(kind=LineKind.GROUP, cells=[title], level=level)


def _total(value: str, level: int = 1) -> Line:
    return Line(kind=LineKind.TOTAL, cells=["Total", "", value], level=level)


def _print(folder: Path, lines: Iterable[Line], **changes: object) -> tuple[Path, Printed]:
    path = folder / "report.pdf"
    return path, render_pdf(_sheet(**changes), lines, path, _nothing)


@pytest.mark.parametrize(
    "name",
    ["Åse Østlæby", "Ελευθερία", "Żółć Łukasz", "Анна", "王小明", "田中さくら", "김민수", "יעל", "Nguyễn"],
)
def test_names_of_every_script_are_found_again_in_the_text(tmp_path: Path, name: str) -> None:
    path, printed = _print(tmp_path, [_detail("AS", name, "1")])
    assert name in pdfs.pages(path)[0]
    assert printed.boxes == ""


def test_arabic_is_joined_and_found_again(tmp_path: Path) -> None:
    path, printed = _print(tmp_path, [_detail("AS", "محمد", "1")])
    assert "محمد" in pdfs.pages(path)[0]
    assert printed.boxes == ""


def test_names_of_many_scripts_stand_in_one_cell(tmp_path: Path) -> None:
    path, _ = _print(tmp_path, [_detail("Ærlig 王 Мир 김", "", "1")])
    assert "Ærlig 王 Мир 김" in pdfs.pages(path)[0]


def test_a_character_without_a_font_is_a_box_that_is_told_once(tmp_path: Path) -> None:
    blank, _ = _print(tmp_path, [_detail("", "", "")])
    before, _ = pdfs.ink(blank)
    path, printed = _print(tmp_path, [_detail("\u0378" * 20, "\u0378", "")])
    assert pdfs.ink(path)[0] > before
    assert printed.warning.count("U+0378") == 1
    assert "\u0378" * 20 in pdfs.pages(path)[0]


def test_every_page_has_the_header_row_and_its_number(tmp_path: Path) -> None:
    lines = (_detail(f"Company {i}", "Name", "1") for i in range(200))
    path, printed = _print(tmp_path, lines, page_word="Side {page} av {pages}")
    texts = pdfs.pages(path)
    assert printed.pages == len(texts) > 3
    assert all("Company Name" in re.sub(r"\s+", " ", text) for text in texts)
    assert all(f"Side {i} av {len(texts)}" in text for i, text in enumerate(texts, start=1))


def test_headings_stay_with_their_first_line_and_totals_with_their_last(tmp_path: Path) -> None:
    def lines() -> Iterator[Line]:
        for i in range(60):
            yield from (_group(f"Group-{i}-"), _detail(f"first-{i}-", "", "1"), _detail(f"last-{i}-", "", "2"))
            yield _total(f"{i}000000")

    path, _ = _print(tmp_path, lines())
    texts = pdfs.pages(path)
    for i, text in itertools.product(range(60), texts):
        assert f"first-{i}-" not in text or f"Group-{i}-" in text
        assert (f"last-{i}-" in text) == (f"{i}000000" in re.findall(r"\d+000000", text))


def test_a_group_that_goes_on_is_named_again(tmp_path: Path) -> None:
    path, _ = _print(tmp_path, [_group("Norway"), _group("Oslo", 2), *[_detail("a", "b", "1")] * 100])
    assert all("Norway › Oslo …" in re.sub(r"\s+", " ", text) for text in pdfs.pages(path)[1:])


def test_groups_are_bookmarks(tmp_path: Path) -> None:
    lines = [_group("Norge"), _group("Oslo", 2), _detail("a", "", ""), _group("Bergen", 2), _detail("b", "", "")]
    lines += [*[_detail("c", "", "")] * 60, _group("Ελλάδα"), _detail("d", "", "")]
    path, printed = _print(tmp_path, lines)
    assert pdfs.bookmarks(path) == [
        (0, "Norge", 0),
        (1, "Oslo", 0),
        (1, "Bergen", 0),
        (0, "Ελλάδα", printed.pages - 1),
    ]


def test_title_is_the_documents_own(tmp_path: Path) -> None:
    path, _ = _print(tmp_path, [], title="Kunder (客户) \\")
    assert pdfs.title(path) == "Kunder (客户) \\"


def test_a_report_without_lines_says_so(tmp_path: Path) -> None:
    path, printed = _print(tmp_path, [], empty="Nothing was found.")
    assert printed.pages == 1
    assert "Nothing was found." in pdfs.pages(path)[0]


def test_landscape_is_wide(tmp_path: Path) -> None:
    path, _ = _print(tmp_path, [], landscape=True)
    width, height = pdfs.size(path)
    assert (round(width), round(height)) == (842, 595)


def test_numbers_end_at_the_same_edge_and_are_never_broken(tmp_path: Path) -> None:
    path, _ = _print(tmp_path, [_detail("a", "b", number) for number in ("1", "22 222 222 221", "-3 331")])
    ones = [letter for letter in pdfs.letters(path) if letter.text == "1" and letter.right > 500]
    assert len({round(letter.right, 1) for letter in ones[:3]}) == 1
    assert "22 222 222 221" in pdfs.pages(path)[0]


@pytest.mark.parametrize("cell", ["x" * 900, "長" * 900, "word " * 300, "محمد " * 200, "a@b.c" * 200])
def test_long_cells_wrap_within_their_column(tmp_path: Path, cell: str) -> None:
    path, _ = _print(tmp_path, [_detail("|", cell, "77777")])
    found = pdfs.letters(path)
    number = next(letter for letter in found if letter.text == "7")
    bar = next(letter for letter in found if letter.text == "|")
    inside = [letter for letter in found if letter.text == cell[0] and letter.top <= bar.top + 1]
    assert all(bar.right < letter.left and letter.right < number.left for letter in inside)


def test_a_cell_longer_than_a_page_goes_on_on_the_next(tmp_path: Path) -> None:
    words = [f"w{i}w" for i in range(3000)]
    path, printed = _print(tmp_path, [_detail("a", " ".join(words), "1")])
    assert printed.pages > 2
    assert re.findall(r"w\d+w", " ".join(pdfs.pages(path))) == words


def test_thirty_columns_stay_on_the_paper(tmp_path: Path) -> None:
    columns = [Column(heading=f"Heading{i}") for i in range(30)]
    path, _ = _print(tmp_path, [_detail(*["value"] * 30)] * 5, columns=columns, landscape=True)
    width, height = pdfs.size(path)
    assert all(letter.left > 0 and letter.right < width and letter.bottom > 0 for letter in pdfs.letters(path))
    assert height < width


def test_columns_of_short_cells_make_room_for_long_ones(tmp_path: Path) -> None:
    cells = [_detail("Oslo", "kari.nordmann.of.the.very.long.name@example.no", "1")] * 3
    path, _ = _print(
        tmp_path, cells, columns=[Column(heading="City", width=9), Column(heading="E-mail"), _COLUMNS[2]]
    )
    assert cells[0].cells[1] in pdfs.pages(path)[0]


def test_nothing_is_left_behind_when_printing_is_stopped(tmp_path: Path) -> None:
    def stop(count: int) -> None:
        if count == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        render_pdf(_sheet(), [_detail("a", "b", "c")] * 9, tmp_path / "report.pdf", stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_every_line(tmp_path: Path) -> None:
    counts: list[int] = []
    lines = [_group("A"), _detail("a", "b", "c"), _total("1")]
    render_pdf(_sheet(), lines, tmp_path / "report.pdf", counts.append)
    assert counts == [1, 2, 3]


def test_memory_does_not_grow_with_the_report(tmp_path: Path) -> None:
    _print(tmp_path, (_detail(f"Company {i}", "Name", "1") for i in range(500)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _print(tmp_path, (_detail(f"Company {i}", "Name", "1") for i in range(6000)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 6_000  # kB


_kinds = st.sampled_from(LineKind)
_lines = st.builds(
    lambda kind, cells, level: Line(kind=kind, cells=cells[:1] if kind is LineKind.GROUP else cells, level=level),
    _kinds,
    st.lists(st.text(max_size=60), min_size=3, max_size=3),
    st.integers(0, 4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_lines, max_size=30), st.text(max_size=40))
def test_any_text_is_printed(lines: list[Line], title: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, printed = _print(Path(folder), lines, title=title, subtitle=(title,), footer=title)
        assert len(pdfs.pages(path)) == printed.pages <= 1 + len(lines)
