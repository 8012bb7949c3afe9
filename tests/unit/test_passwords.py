"""Passwords: what is kept of them, and what fits."""

from __future__ import annotations

import pytest

from batchtask.errors import SettingsError
from batchtask.http.passwords import LONGEST, SHORTEST, fits, hash_password, require_good

GOOD = "blåbær og fløte"
STORED = hash_password(GOOD)


@pytest.mark.parametrize(
    ("typed", "fitting"),
    [
        (GOOD, True),
        ("bla\u030abær og fløte", True),
        (GOOD + " ", False),
        (GOOD + "\0", False),
        (GOOD.upper(), False),
        ("", False),
        ("\ud800", False),
        ("x" * 100_000, False),
    ],
    ids=["good", "other spelling", "space", "NUL", "case", "empty", "half a character", "long"],
)
def test_only_the_password_fits(typed: str, fitting: bool) -> None:
    assert fits(typed, STORED) is fitting


def test_a_long_password_does_not_fit_by_its_beginning() -> None:
    stored = hash_password("x" * (LONGEST + 1))
    assert not fits("x" * (LONGEST + 2), stored)


@pytest.mark.parametrize("typed", ["", "\0", GOOD])
def test_nothing_fits_a_user_without_a_password(typed: str) -> None:
    assert not fits(typed, None)


def test_what_is_kept_says_how_it_was_made_and_is_another_each_time() -> None:
    again = hash_password(GOOD)
    assert STORED.split("$")[:4] == ["scrypt", "32768", "8", "3"]
    assert again != STORED
    assert GOOD not in STORED


def test_a_hash_of_other_parameters_or_another_kind_is_read_as_it_says() -> None:
    _, _, _, _, salt, key = STORED.split("$")
    assert not fits(GOOD, f"scrypt$1024$8$1${salt}${key}")
    assert not fits(GOOD, f"bcrypt$1$1$1${salt}${key}")


@pytest.mark.parametrize(("length", "good"), [(0, False), (SHORTEST - 1, False), (SHORTEST, True), (LONGEST, True)])
def test_a_new_password_is_neither_short_nor_endless(length: int, good: bool) -> None:
    if good:
        require_good("x" * length)
        return
    with pytest.raises(SettingsError, match="12 to 256 characters"):
        require_good("x" * length)
