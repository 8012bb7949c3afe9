"""The commands that let people and programs in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from batchtask.cli.app import app
from batchtask.errors import SettingsError, TokenNotFound, UserNotFound
from batchtask.http.service_tokens import all_tokens
from tests.access_support import PASSWORD, Client, add_people, basic, bearer, web_client


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    add_people(database_url)
    monkeypatch.setenv("BATCHTASK_DATABASE_URL", database_url)
    with web_client(database_url) as client:
        yield client


def user(*words: str, typed: str = "") -> Result:
    result = CliRunner().invoke(app, ["user", *words], input=typed)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\nmore lines are not read"])
def test_a_password_from_standard_input_lets_its_user_in(client: Client, ending: str) -> None:
    said = user("password", "ANN", "--stdin", typed="a brand new one" + ending).stdout
    assert said.startswith("The password of Ann is set")
    assert client.get("/thing", headers=basic("ann", "a brand new one")).status_code == 200
    assert client.get("/thing", headers=basic("ann")).status_code == 401


def test_a_password_is_never_an_argument(client: Client) -> None:
    assert user("password", "bob", PASSWORD).exit_code == 2


def test_without_a_terminal_and_without_the_option_nothing_is_taken_for_a_password(client: Client) -> None:
    with pytest.raises(SettingsError, match="add --stdin"):
        user("password", "bob", typed="a brand new one\n")
    assert client.get("/thing", headers=basic("bob")).status_code == 200


@pytest.mark.parametrize(("name", "typed"), [("bob", ""), ("bob", "short"), ("bob", "x" * 300)])
def test_a_bad_password_is_refused_and_the_old_one_stays(client: Client, name: str, typed: str) -> None:
    with pytest.raises(SettingsError, match="12 to 256 characters"):
        user("password", name, "--stdin", typed=typed)
    assert client.get("/thing", headers=basic("bob")).status_code == 200


@pytest.mark.parametrize("name", ["nobody", "rita", "", "bob\0", "%", "b_b"])
@pytest.mark.parametrize("words", [("password", "--stdin"), ("password", "--remove"), ("token", "--note", "n")])
def test_nobody_is_let_in_who_is_not_there(client: Client, name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UserNotFound, match="check the login name"):
        user(*words, name, typed="a brand new one")
    assert all_tokens(client.engine) == []


def test_a_removed_password_lets_nobody_in(client: Client) -> None:
    assert "no password any more" in user("password", "bob", "--remove").stdout
    assert client.get("/thing", headers=basic("bob")).status_code == 401
    user("password", "bob", "--remove")


def test_a_token_is_printed_alone_works_and_is_gone_once_revoked(client: Client) -> None:
    result = user("token", "bob", "--note", "[nightly] import", "--days", "30")
    token = result.stdout.strip()
    assert (token.startswith("bt_"), len(token)) == (True, 46)
    assert "batchtask user revoke 1" in result.stderr
    assert client.get("/thing", headers=bearer(token)).json()["name"] == "bob"
    listed = user("tokens").stdout
    assert "[nightly]" in listed
    assert token not in listed
    assert "revoked" in user("revoke", "1").stdout
    client.forget_all()
    assert client.get("/thing", headers=bearer(token)).status_code == 401


def test_the_list_tells_until_when_and_that_it_was_used(client: Client) -> None:
    assert user("tokens").stdout == "No service tokens.\n"
    token = user("token", "bob", "--note", "a", "--days", "1").stdout.strip()
    user("token", "Ann", "--note", "b")
    client.get("/thing", headers=bearer(token))
    first, second = all_tokens(client.engine)
    assert (first.name, first.note, second.name, second.note) == ("bob", "a", "Ann", "b")
    assert first.expires_at is not None
    assert abs(first.expires_at - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=1)
    assert (second.expires_at, second.last_used_at, first.last_used_at is None) == (None, None, False)
    assert '"note": "b"' in user("tokens", "--json").stdout


def test_revoking_again_keeps_the_time_of_the_first(client: Client) -> None:
    user("token", "bob", "--note", "a")
    user("revoke", "1")
    first = all_tokens(client.engine)[0].revoked_at
    user("revoke", "1")
    assert first is not None
    assert all_tokens(client.engine)[0].revoked_at == first


def test_an_unknown_token_is_said_to_be(client: Client) -> None:
    with pytest.raises(TokenNotFound, match="no service token 99 is known"):
        user("revoke", "99")


@pytest.mark.parametrize(
    "words",
    [
        ("token", "bob"),
        ("token", "bob", "--note", "n", "--days", "0"),
        ("token", "bob", "--note", "n", "--days", "99999999999"),
        ("revoke", "0"),
        ("revoke", "99999999999"),
        ("revoke", "x"),
    ],
)
def test_wrong_usage_makes_nothing(client: Client, words: Any) -> None:
    assert user(*words).exit_code == 2
    assert all_tokens(client.engine) == []


def test_a_token_needs_a_note(client: Client) -> None:
    with pytest.raises(SettingsError, match="say what the token is for"):
        user("token", "bob", "--note", " ")
