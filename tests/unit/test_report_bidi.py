from __future__ import annotations

import pytest
from bidi import get_display
from hypothesis import given
from hypothesis import strategies as st

from worker.tasks.report import pdf_bidi


def _seen(text: str) -> str:
    """Order letters as they are seen; brackets are turned round later, by who draws them."""
    levels = pdf_bidi.levels(text, pdf_bidi.base_level(text))
    runs = pdf_bidi.visual_runs(levels, 0, len(text))
    return "".join(_as_drawn(text[start:end], level) for start, end, level in runs)


def _as_drawn(text: str, level: int) -> str:
    return text[::-1] if level % 2 else text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("abc שלום 12", "abc 12 םולש"),
        ("שלום abc", "abc םולש"),
        ("שלום (STC) ltd", "ltd )STC( םולש"),
        ("50% שלום", "םולש 50%"),
        ("aא(1)\u0301", "a\u0301)1(א"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_mixed_text_is_seen_in_the_order_of_its_paragraph(text: str, seen: str) -> None:
    assert _seen(text) == seen


@given(st.text(alphabet="aZ אשمع 159٣().,+-%:[]!\u0301", max_size=24))
def test_order_is_the_one_of_the_unicode_algorithm(text: str) -> None:
    assert _seen(text) == get_display(text)


def test_text_without_right_to_left_letters_needs_no_ordering() -> None:
    assert not pdf_bidi.is_mixed("Łukasz 王 12")
    assert pdf_bidi.is_mixed("Łukasz محمد")
