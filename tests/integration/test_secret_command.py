"""The commands about keys and passwords; a password is never an argument."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from batchtask import crm7
from batchtask.cli.app import app
from batchtask.errors import SchemaMissing, SettingsError
from batchtask.sealing import Sealer
from tests.inbox_support import Desk

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def run(*arguments: str, given: str = "", **environ: str) -> str:
    """Run a command and return what it printed; its error passes through."""
    result = CliRunner().invoke(app, ["secret", *arguments], input=given, env=environ)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout.strip()


def test_a_new_key_can_be_used_at_once() -> None:
    key = run("new-key")
    assert Sealer(key).open(run("seal", given="s p å\r\n", BATCHTASK_SECRET_KEYS=key)) == "s p å"


def test_no_password_is_no_secret() -> None:
    with pytest.raises(SettingsError, match="standard input"):
        run("seal", given="\n", BATCHTASK_SECRET_KEYS=NEW)


def test_after_a_rotation_the_old_key_may_go(database_url: str, tmp_path: Path) -> None:
    desk = Desk(database_url, tmp_path)
    for password in (Sealer(OLD).seal("one"), Sealer(NEW).seal("two"), "", None):
        desk.add(crm7.service_auth, password=password)
    url = {"BATCHTASK_DATABASE_URL": database_url}
    assert run("rotate", BATCHTASK_SECRET_KEYS=f"{NEW},{OLD}", **url) == "2 passwords are sealed with the first key."
    stored = [row["password"] for row in desk.rows("SELECT password FROM crm7.service_auth ORDER BY service_auth_id")]
    assert [Sealer(NEW).open(password) for password in stored[:2]] == ["one", "two"]
    assert stored[2:] == ["", None]


def test_a_password_that_no_key_opens_is_named_and_stays(database_url: str, tmp_path: Path) -> None:
    desk = Desk(database_url, tmp_path)
    desk.add(crm7.service_auth, password="rubbish")
    with pytest.raises(SettingsError, match="service_auth 1"):
        run("rotate", BATCHTASK_SECRET_KEYS=NEW, BATCHTASK_DATABASE_URL=database_url)
    assert desk.rows("SELECT password FROM crm7.service_auth") == [{"password": "rubbish"}]


def test_a_rotation_without_keys_or_tables_says_what_to_do(empty_database_url: str) -> None:
    url = {"BATCHTASK_DATABASE_URL": empty_database_url}
    with pytest.raises(SettingsError, match="secret new-key` makes a key"):
        run("rotate", **url)
    with pytest.raises(SettingsError, match="secret new-key` makes one"):
        run("rotate", BATCHTASK_SECRET_KEYS="abc", **url)
    with pytest.raises(SchemaMissing, match="batchtask migrate"):
        run("rotate", BATCHTASK_SECRET_KEYS=NEW, **url)
