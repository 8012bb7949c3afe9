"""The order of letters, on databases with collations of languages and on those without."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchtask.demo.sample_crm import SampleCrm
from batchtask.testing import FakeContext
from tests.letters_support import change, letters_of, load_sample, person_of
from tests.mail_merge_support import paragraph


@pytest.fixture
def crm(database_url: str) -> SampleCrm:
    return load_sample(database_url)


@pytest.fixture
def context(database_url: str, crm: SampleCrm, tmp_path: Path) -> FakeContext:
    return FakeContext(database_url=database_url, folder=tmp_path, archive_dir=tmp_path, owner=crm.associate_id)


COMPANIES = ("Street Only AS", "Uses Home Address AS", "Home Address Missing AS")


@pytest.fixture
def three(context: FakeContext) -> tuple[int, ...]:
    return tuple(person_of(context, name)[0] for name in COMPANIES)


@pytest.mark.parametrize(
    ("language", "names", "expected"),
    [
        ("nb", ("Åre", "zoo", "Ærlig"), ["zoo", "Ærlig", "Åre"]),
        ("nb", ("Østfold", "ØRSTA", "Zebra"), ["Zebra", "ØRSTA", "Østfold"]),
        ("en", ("Åre", "zoo", "berg"), ["Åre", "berg", "zoo"]),
        ("sv", ("Öl", "Zebra", "Ål"), ["Zebra", "Ål", "Öl"]),
        ("pl", ("Łódź", "mielec", "Lena"), ["Lena", "Łódź", "mielec"]),
    ],
)
def test_names_stand_in_the_order_of_the_letters_language(
    context: FakeContext, three: tuple[int, ...], *, language: str, names: tuple[str, ...], expected: list[str]
) -> None:
    for contact_id, name in zip(three, names, strict=True):
        change(context, "UPDATE crm7.contact SET name = :name WHERE contact_id = :id", id=contact_id, name=name)
    letters = letters_of(context, paragraph("{name}"), contact_ids=three, include_person="none", language=language)
    assert letters == expected


def test_the_postcode_that_counts_is_the_one_on_the_letter(context: FakeContext, three: tuple[int, ...]) -> None:
    """One is written to at home, one has an empty postal address, one a postal one."""
    postal = "UPDATE crm7.address SET {} WHERE owner_id = :id AND atype_idx = 1"
    street = "UPDATE crm7.address SET zipcode = '2000' WHERE owner_id = :id AND atype_idx = 2"
    blank = "address1 = ' ', address2 = '', address3 = '', zipcode = '', city = ''"
    change(context, postal.format(blank), id=three[0])
    change(context, street, id=three[0])
    change(context, postal.format("zipcode = '9999'"), id=three[1])  # the home's is 1358
    change(context, postal.format("zipcode = '1500'"), id=three[2])
    body = paragraph("{zipc} {name}")
    letters = letters_of(context, body, contact_ids=three, include_person="first", sorting="postcode")
    assert letters == ["1358 Uses Home Address AS", "1500 Home Address Missing AS", "2000 Street Only AS"]
