"""Keys of an identity provider that really listens: where they are found, when they are fetched, and its outages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchtask.http.key_source import FAILED_SECONDS, KEEP_SECONDS, UNKNOWN_SECONDS, KeySource
from batchtask.http.problems import Unavailable
from batchtask.http.service_tokens import issue_token
from batchtask.settings import Settings
from tests.access_support import (
    CURVE_KEY,
    EDWARDS_KEY,
    PROVIDER_KEY,
    STRANGERS_KEY,
    Client,
    Provider,
    add_people,
    bearer,
    public_jwk,
    running_provider,
    web_client,
    write_pem,
)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def people_url(databases: Any) -> Iterator[str]:
    with databases() as url:
        add_people(url)
        yield url


class Clock:
    """A clock that goes on when the test says so."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Asked:
    """A key source and how often it asked the provider."""

    def __init__(self, provider: Provider, **settings: str) -> None:
        self.clock = Clock()
        self.provider = provider
        self.source = KeySource(Settings(**{**provider.settings, **settings}), self.clock)  # type: ignore[arg-type]

    def ids(self, key_id: str | None, algorithm: str = "RS256") -> list[str | None]:
        return [key.key_id for key in asyncio.run(self.source.keys_for(key_id, algorithm))]

    @property
    def times(self) -> int:
        return self.provider.asked.count("/keys")


def status_of(client: Client, token: str) -> int:
    return int(client.get("/thing", headers=bearer(token)).status_code)


def test_keys_are_found_by_discovery_and_kept(provider: Provider) -> None:
    asked = Asked(provider)
    assert [asked.ids("one") for _ in range(3)] == [["one"]] * 3
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]
    asked.clock.seconds += KEEP_SECONDS
    asked.ids("one")
    assert asked.times == 2


def test_a_url_of_keys_is_asked_without_discovery(provider: Provider) -> None:
    assert Asked(provider, jwt_keys=provider.url("/keys")).ids("one") == ["one"]
    assert provider.asked == ["/keys"]


def test_an_unknown_key_is_looked_for_at_once_but_not_more_than_once_a_minute(provider: Provider) -> None:
    asked = Asked(provider)
    asked.ids("one")
    provider.keys.append(public_jwk(STRANGERS_KEY, "two"))
    assert (asked.ids("two"), asked.times) == ([], 1)
    asked.clock.seconds += UNKNOWN_SECONDS
    assert (asked.ids("two"), asked.times) == (["two"], 2)
    assert [asked.ids(f"guess {number}") for number in range(20)] == [[]] * 20
    assert asked.times == 2


def test_a_withdrawn_key_is_forgotten_within_the_hour(provider: Provider) -> None:
    asked = Asked(provider)
    asked.ids("one")
    provider.keys[:] = [public_jwk(STRANGERS_KEY, "two")]
    asked.clock.seconds += KEEP_SECONDS
    assert asked.ids("one") == []


def test_many_who_ask_at_once_share_one_fetch(provider: Provider) -> None:
    asked = Asked(provider)

    async def all_at_once() -> None:
        await asyncio.gather(*(asked.source.keys_for("one", "RS256") for _ in range(50)))

    asyncio.run(all_at_once())
    assert asked.times == 1


def test_a_provider_that_is_away_is_503_and_left_alone_for_a_moment(provider: Provider) -> None:
    asked = Asked(provider)
    provider.issuer_in_document = "https://somebody.else"
    for _ in range(3):
        with pytest.raises(Unavailable, match="does not answer"):
            asked.ids("one")
    assert len(provider.asked) == 1
    provider.issuer_in_document = None
    asked.clock.seconds += FAILED_SECONDS
    assert asked.ids("one") == ["one"]


def test_known_keys_serve_on_while_the_provider_is_away(provider: Provider) -> None:
    asked = Asked(provider)
    asked.ids("one")
    provider.keys[:] = []
    asked.clock.seconds += KEEP_SECONDS
    assert asked.ids("one") == ["one"]
    with pytest.raises(Unavailable):
        asked.ids("two")


def test_a_fetch_does_not_hold_up_the_event_loop(provider: Provider) -> None:
    asked = Asked(provider)
    provider.answers.clear()

    async def story() -> list[Any]:
        fetch = asyncio.create_task(asked.source.keys_for("one", "RS256"))
        while not provider.asked:  # noqa: ASYNC110 - it turns only as long as the loop is free
            await asyncio.sleep(0.01)
        assert not fetch.done()
        provider.answers.set()
        return await fetch

    assert len(asyncio.run(story())) == 1


def test_an_unreachable_provider_answers_503_with_a_sentence(people_url: str, provider: Provider) -> None:
    with web_client(people_url, jwt_issuer="http://127.0.0.1:9", jwt_audience="batchtask") as client:
        answer = client.get("/thing", headers=bearer(provider.token()))
        assert answer.status_code == 503
        assert "identity provider does not answer" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "10"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(PROVIDER_KEY, "RS256"), (PROVIDER_KEY, "PS512"), (CURVE_KEY, "ES256"), (EDWARDS_KEY, "EdDSA")],
)
def test_keys_of_a_file_serve_in_either_format(people_url: str, tmp_path: Path, key: Any, algorithm: str) -> None:
    jwks = tmp_path / "keys.json"
    jwks.write_text(json.dumps({"keys": [public_jwk(key, "one")]}))
    pem = write_pem(key, tmp_path / "keys.pem")
    with running_provider() as provider:
        for place in (jwks, pem):
            settings = provider.settings | {"jwt_keys": str(place)}
            with web_client(people_url, **settings) as client:  # type: ignore[arg-type]
                assert status_of(client, provider.token(key, algorithm=algorithm)) == 200
                assert status_of(client, provider.token(STRANGERS_KEY)) == 401
        assert provider.asked == []


def test_another_claim_may_hold_the_name(people_url: str, provider: Provider) -> None:
    with web_client(people_url, jwt_name_claim="crm_login", **provider.settings) as client:  # type: ignore[arg-type]
        assert status_of(client, provider.token(crm_login="Ann", preferred_username=None)) == 200


def test_without_a_provider_its_tokens_are_refused_with_what_to_send(people_url: str, provider: Provider) -> None:
    with web_client(people_url) as client:
        answer = client.get("/thing", headers=bearer(provider.token()))
        assert (answer.status_code, "begins with bt_" in answer.json()["detail"]) == (401, True)


def test_an_address_that_forges_tokens_is_slowed_down_but_not_one_whose_token_expired(
    people_url: str, provider: Provider
) -> None:
    with web_client(people_url, **provider.settings) as client:  # type: ignore[arg-type]
        assert {status_of(client, provider.token(exp=1)) for _ in range(60)} == {401}
        statuses = [status_of(client, provider.token(STRANGERS_KEY)) for _ in range(52)]
        assert statuses[:50] == [401] * 50
        assert statuses[-1] == 429


def test_who_shares_an_address_with_forgers_is_let_in_with_a_good_token(people_url: str, provider: Provider) -> None:
    with web_client(people_url, **provider.settings) as client:  # type: ignore[arg-type]
        service = issue_token(client.engine, "bob", "of a program")[1]
        statuses = [status_of(client, f"bt_{number}") for number in range(51)]
        assert (statuses[:50], statuses[50]) == ([401] * 50, 429)
        assert status_of(client, provider.token(STRANGERS_KEY)) == 429
        assert (status_of(client, service), status_of(client, provider.token())) == (200, 200)
