"""What reports print in a user's language: headings, words of criteria, dates and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import literal

from worker.tasks.crm import headings_eastern, headings_nordic, headings_western
from worker.tasks.crm.fields import Field, Kind
from worker.tasks.crm.headings import translate
from worker.tasks.crm.languages import Language, find_language, known_languages
from worker.tasks.crm.operators import canonical, known_operators
from worker.tasks.crm.subjects import SUBJECTS
from worker.tasks.report import spoken
from worker.tasks.report.values import Printer

TABLES = (headings_nordic, headings_western, headings_eastern)


def language(code: str) -> Language:
    found = find_language(code)
    assert found
    return found


def english_words() -> Iterator[str]:
    for subject in SUBJECTS.values():
        for field in subject.fields.values():
            yield field.heading
            if field.choices and field.choices.rows is None:
                yield from field.choices.words.values()
        yield from (link.capitalize() for link in subject.links)
    for words in spoken.WORDS.values():
        yield from words
    yield from spoken.PERIODS.values()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__.rpartition("_")[2])
def test_every_heading_and_word_is_there_in_every_language(table: type) -> None:
    lines = [line.split("|") for line in table.WORDS.strip().splitlines()]
    assert {word for word in english_words() if word != "="} <= {english for english, *_ in lines}
    assert all(len(line) == 1 + len(table.LANGUAGES) and all(line) for line in lines)


def test_a_word_is_translated_or_stays_english() -> None:
    assert [translate("Amount", code) for code in ("nb-NO", "pl", "EL-gr", "fi")] == [
        "Beløp",
        "Kwota",
        "Ποσό",
        "Amount",
    ]


def test_every_language_has_headings() -> None:
    spelled = {code.partition("-")[0] for code in known_languages().split(", ")}
    assert spelled == {"en", *(code for table in TABLES for code in table.LANGUAGES)}


@pytest.mark.parametrize("kind", Kind)
def test_every_operator_can_be_said(kind: Kind) -> None:
    for operator in known_operators(kind):
        name, denied = canonical(operator)
        said = spoken.SIGNS.get(name) or spoken.WORDS.get(name) or (spoken.PERIODS[name],)
        assert said[denied]


DAY = date(2025, 7, 4)


@pytest.mark.parametrize(
    ("code", "date_format", "printed"),
    [
        ("nb", "", "04.07.2025"),
        ("nb", "dd.MM.yy", "04.07.25"),
        ("en-US", "M/d/yyyy", "7/4/2025"),
        ("sv", "", "2025-07-04"),
        ("pl", "d MMMM yyyy", "4 lipca 2025"),
        ("en", "dd MMM yyyy", "04 Jul 2025"),
        ("fr", "d MMM yyyy", "4 juil 2025"),  # "jui" would be June as well
        ("nl", "yyyyMMdd", "20250704"),
    ],
)
def test_a_date_is_written_as_the_preference_says(code: str, date_format: str, printed: str) -> None:
    assert Printer(language=language(code), date_format=date_format).day(DAY) == printed


@pytest.mark.parametrize(
    "nonsense", ["dddd, d MMMM yyyy", "d 'de' MMMM yyyy", "yyyy", "---", "DD.MM.YYYY", "HH:mm", "MMMMM d yyyy", "%d"]
)
def test_a_preference_that_cannot_be_understood_leaves_the_languages_own(nonsense: str) -> None:
    assert Printer(language=language("de"), date_format=nonsense).day(DAY) == "04.07.2025"


@pytest.mark.parametrize(
    ("value", "decimals", "printed"),
    [
        (-0.001, 2, "0.00"),
        (-0.005, 2, "-0.01"),
        (2.675, 2, "2.68"),
        (1e19, 10, "10,000,000,000,000,000,000.0000000000"),
        (float("nan"), 2, ""),
        (float("-inf"), 2, ""),
    ],
)
def test_a_number_is_rounded_as_people_do_however_large(value: float, decimals: int, printed: str) -> None:
    assert Printer(language=language("en")).number(value, decimals) == printed


@pytest.mark.parametrize(("mask", "printed"), [("", "1234567"), ("#,##0", "1.234.567"), ("#0", "1234567")])
def test_a_whole_number_has_thousands_if_its_mask_has(mask: str, printed: str) -> None:
    field = Field(name="n", kind=Kind.NUMBER, heading="N", value=literal(0), holds=lambda test: test(literal(0)))
    assert Printer(language=language("de")).of(field, mask)(1234567) == printed


def test_the_largest_number_there_is_has_all_its_digits() -> None:
    assert len(Printer(language=language("en")).number(1.7e308, 10).replace(",", "")) == 309 + 11
