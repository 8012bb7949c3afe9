from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from worker.tasks.crm.addresses import DEFAULT_LABEL, Address, Country, Layouts, first_filled, format_label
from worker.tasks.crm.languages import find_language
from worker.tasks.mail_merge.variables import is_variable

NORWAY = Country(name="Norge", code="NO", zip_prefix="N-", domestic_layout=1, foreign_layout=101)
GERMANY = Country(name="Deutschland", code="DE", zip_prefix="D-", domestic_layout=1, foreign_layout=101)


def label(text: str, **values: str) -> list[str]:
    known: Mapping[str, str] = {"name": "", "attn": "", "addr": "", "zipc": "", "city": "", **values}
    return format_label(text, known.get)


def test_a_label_has_its_lines_and_spaces() -> None:
    lines = label(r"name[\n]attn|x|[\n]addr[\n]zipc[ ]city", name="A", attn="B", addr="C 1", zipc="0150", city="OSLO")
    assert lines == ["A", "B", "C 1", "0150 OSLO"]


def test_empty_values_leave_neither_lines_nor_blanks() -> None:
    assert label(r"name[\n]attn|x|[\n]addr[\n]zipc[ ]city", name="A", city="Dubai") == ["A", "Dubai"]


def test_of_several_separators_in_a_row_a_new_line_wins() -> None:
    assert label(r"name[ ]attn[\n]zipc[, ]city", name="A", city="B") == ["A", "B"]


def test_text_that_is_no_variable_is_printed() -> None:
    assert label(r"name[\n]c/o [\n]city", name="A", city="B") == ["A", "c/o ", "B"]


def test_a_value_of_two_lines_is_two_lines_of_the_label() -> None:
    assert label(r"name[\n]city", name="A\nPurchasing", city="B") == ["A", "Purchasing", "B"]


def test_the_layout_is_domestic_in_the_senders_country_and_foreign_elsewhere() -> None:
    layouts = Layouts(labels={1: "home", 101: "abroad"}, own_country="NO")
    assert [layouts.label(NORWAY), layouts.label(GERMANY)] == ["home", "abroad"]


def test_a_country_without_a_layout_gets_the_default() -> None:
    assert Layouts(labels={}, own_country="NO").label(Country()) == DEFAULT_LABEL


def test_the_first_address_that_says_something_is_taken() -> None:
    street = Address(line1="Storgata 1", city="OSLO")
    assert first_filled([Address(county="Viken"), street]) == street
    assert not first_filled([Address(), Address()])


def test_parts_of_an_address_are_joined_without_loose_commas() -> None:
    full = Address(city="Bedford", state="MA", zipcode="01730", country=NORWAY)
    assert (full.city_state_zip, full.zip_city, full.prefixed_zip) == (
        "Bedford, MA 01730",
        "01730 Bedford",
        "N-01730",
    )
    assert (Address(city="Bedford").city_state_zip, Address(country=NORWAY).prefixed_zip) == ("Bedford", "")


@pytest.mark.parametrize(
    ("code", "long", "short"),
    [
        ("en", "10 December 2004", "10.12.04"),
        ("en-US", "December 10, 2004", "12/10/04"),
        ("nb-NO", "10. desember 2004", "10.12.04"),
        ("DE", "10. Dezember 2004", "10.12.04"),
        ("pl", "10 grudnia 2004", "10.12.04"),
    ],
)
def test_a_date_is_written_as_the_language_does(code: str, long: str, short: str) -> None:
    language = find_language(code)
    assert language is not None
    assert (language.long_date(date(2004, 12, 10)), language.short_date(date(2004, 12, 10))) == (long, short)


def test_an_unknown_language_is_not_guessed() -> None:
    assert find_language("xx") is None


@pytest.mark.parametrize(
    "name", ["name", "cnt?", "ati.", "fad1", "fado", "cl60", "cs49", "cf10", "as01", "onam", "snum"]
)
def test_a_documented_variable_is_known(name: str) -> None:
    assert is_variable(name)


@pytest.mark.parametrize("name", ["nmae", "cl61", "cl00", "cs50", "cf11", "fadz", ""])
def test_anything_else_is_not(name: str) -> None:
    assert not is_variable(name)
