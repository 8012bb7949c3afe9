from __future__ import annotations

from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.tasks.crm.file_names import UniqueNames, result_name, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Bråten & Sønn AS Kari", "Bråten & Sønn AS Kari"),
        ("شركة النور للتجارة (دبي)", "شركة النور للتجارة (دبي)"),
        ("北京图书进出口有限公司", "北京图书进出口有限公司"),
        ('../a\\b: "c"|d?', "_a_b_ _c__d_"),
        ("two\nlines\tand  blanks ", "two lines and blanks"),
        ("a\u202egpj.exe", "a gpj.exe"),
        ("nul", "_nul"),
        ("COM1.txt", "_COM1.txt"),
        (" .. ", "letter 7"),
        ("", "letter 7"),
        ("A\u030angstro\u0308m", "\u00c5ngstr\u00f6m"),
    ],
)
def test_a_text_becomes_a_name_that_every_system_takes(text: str, name: str) -> None:
    assert safe_name(text, otherwise="letter 7") == name


@given(st.text(max_size=400))
def test_a_name_is_short_and_never_a_path(text: str) -> None:
    name = safe_name(text, otherwise="letter 7")
    assert 0 < len(name.encode()) <= 161
    assert PureWindowsPath(name).name == name
    assert not name.endswith((" ", "."))


def test_names_that_systems_hold_for_the_same_get_numbers() -> None:
    names = UniqueNames()
    assert [names.take(name) for name in ("Anna", "ANNA", "anna (2)", "anna")] == [
        "Anna",
        "ANNA (2)",
        "anna (2) (2)",
        "anna (3)",
    ]


def test_a_result_has_a_name_that_every_system_takes() -> None:
    assert result_name("../../etc/letters", "x", ".docx") == "letters.docx"
    assert result_name("", "Spring", ".docx") == "Spring.docx"
    assert result_name("a\x00b\ud800?.DOCX", "x", ".docx") == "a b _.docx"
    assert result_name("é" * 300, "x", ".docx") == "é" * 80 + ".docx"
