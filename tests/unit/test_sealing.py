"""Passwords at rest: readable with the right key only, and keys can be changed."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from batchtask.errors import SecretUnreadable, SettingsError
from batchtask.sealing import Sealer

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize("secret", ["x", "blåbærsyltetøy \"'\\ \t", "密碼" * 500])
def test_what_was_sealed_opens_to_what_it_was(secret: str) -> None:
    assert Sealer(NEW).open(Sealer(NEW).seal(secret)) == secret


def test_a_sealed_secret_is_ascii_another_one_each_time_and_tells_nothing() -> None:
    first, second = Sealer(NEW).seal("hemmelig"), Sealer(NEW).seal("hemmelig")
    assert first != second
    assert first.isascii()
    assert "hemmelig" not in first


def test_keys_can_be_changed_one_after_the_other() -> None:
    sealed = Sealer(OLD).seal("hemmelig")
    both = Sealer(f" {NEW} ,{OLD},")
    assert both.open(sealed) == "hemmelig"
    assert Sealer(NEW).open(both.reseal(sealed)) == "hemmelig"
    with pytest.raises(SecretUnreadable):
        Sealer(OLD).open(both.reseal(sealed))


@pytest.mark.parametrize(
    "sealed",
    ["", "hemmelig", "ünsealed", Sealer(OLD).seal("x"), Sealer(NEW).seal("x")[:-4]],
    ids=["empty", "plain", "not ascii", "other key", "cut"],
)
def test_what_this_key_did_not_seal_is_refused(sealed: str) -> None:
    with pytest.raises(SecretUnreadable):
        Sealer(NEW).open(sealed)


def test_a_changed_letter_is_noticed() -> None:
    sealed = Sealer(NEW).seal("hemmelig")
    other = "A" if sealed[40] != "A" else "B"
    with pytest.raises(SecretUnreadable):
        Sealer(NEW).open(sealed[:40] + other + sealed[41:])


@pytest.mark.parametrize("keys", ["", " , ", "secret", NEW[:-2]], ids=["empty", "blank", "no key", "cut"])
def test_without_a_proper_key_the_setting_is_named(keys: str) -> None:
    with pytest.raises(SettingsError, match="BATCHTASK_SECRET_KEYS"):
        Sealer(keys).seal("x")
    with pytest.raises(SettingsError, match="BATCHTASK_SECRET_KEYS"):
        Sealer(keys).open("x")
