"""Every kind of credential in each of its states, against the real database and a real identity provider."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from litestar.connection import ASGIConnection

from batchtask.http.password_logins import AT_A_TIME, WAITING
from batchtask.http.problems import BadRequest, TooManyRequests
from batchtask.http.service_tokens import issue_token, revoke_token
from batchtask.http.web_users import set_password
from tests.access_support import (
    PASSWORD,
    STRANGERS_KEY,
    Client,
    Provider,
    add_people,
    basic,
    bearer,
    retire,
    run_sql,
    running_provider,
    web_client,
)

SECRET_KEY = "a-key-of-the-test"


@dataclass
class Scene:
    """Who is there for a row of the table."""

    client: Client
    provider: Provider


@pytest.fixture(scope="module")
def scene_url(databases: Any) -> Iterator[str]:
    with databases() as url:
        add_people(url)
        yield url


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def scene(scene_url: str, provider: Provider) -> Iterator[Scene]:
    with web_client(scene_url, secret_keys=SECRET_KEY, **provider.settings) as client:
        yield Scene(client, provider)


def _service_token(scene: Scene, name: str = "bob", **when: Any) -> dict[str, str]:
    return bearer(issue_token(scene.client.engine, name, "test", **when)[1])


def _expired(scene: Scene) -> dict[str, str]:
    token_id, token = issue_token(scene.client.engine, "bob", "test", 1)
    run_sql(scene.client.engine, f"UPDATE batchtask.service_token SET expires_at = now() WHERE id = {token_id}")
    return bearer(token)


def _revoked(scene: Scene) -> dict[str, str]:
    token_id, token = issue_token(scene.client.engine, "bob", "test")
    revoke_token(scene.client.engine, token_id)
    return bearer(token)


def _of_retired(scene: Scene) -> dict[str, str]:
    run_sql(scene.client.engine, "UPDATE crm7.associate SET deleted = 0 WHERE name = 'rita'")
    token = _service_token(scene, "rita")
    retire(scene.client.engine, "rita")
    return token


def _unsigned(scene: Scene) -> dict[str, str]:
    _, claims, _ = scene.provider.token().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    return bearer(f"{none}.{claims}.")


def _signed_by_public_key(scene: Scene) -> dict[str, str]:
    """The classic: the public key, which everybody has, taken as the secret of an HMAC."""
    claims = jwt.decode(scene.provider.token(), options={"verify_signature": False})
    secret = public_jwk_text(scene)
    return bearer(jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "one"}))


def public_jwk_text(scene: Scene) -> str:
    return str(scene.provider.keys[0]["n"])


def _changed_claims(scene: Scene) -> dict[str, str]:
    header, _, signature = scene.provider.token().split(".")
    claims = scene.provider.token(preferred_username="Ann").split(".")[1]
    return bearer(f"{header}.{claims}.{signature}")


def _in(seconds: int) -> int:
    return int(time.time()) + seconds


Credential = Callable[[Scene], Mapping[str, str | bytes]]

WRONG, NO_TOKEN = "name or the password is wrong", "neither as a service token nor as a JWT"
FORGED, NO_USER = "not signed with a key", "no active user"

#: credential, its state, the headers, the status, what the answer says (or who it takes the caller for)
TABLE: list[tuple[str, Credential, int, str]] = [
    ("nothing", lambda _: {}, 401, "log in at /login"),
    ("basic: good", lambda _: basic("bob"), 200, "bob"),
    ("basic: name in other case", lambda _: basic("BOB"), 200, "bob"),
    ("basic: wrong password", lambda _: basic("bob", "wrong"), 401, WRONG),
    ("basic: empty password", lambda _: basic("bob", ""), 401, WRONG),
    ("basic: unknown user", lambda _: basic("nobody"), 401, WRONG),
    ("basic: retired user", lambda _: basic("rita"), 401, WRONG),
    ("basic: no name", lambda _: basic(""), 401, WRONG),
    ("basic: NUL in the name", lambda _: basic("bob\0"), 401, WRONG),
    ("basic: NUL in the password", lambda _: basic("bob", PASSWORD + "\0"), 401, WRONG),
    ("basic: line break in the name", lambda _: basic("bob\r\nSet-Cookie: a=b"), 401, WRONG),
    ("basic: name in old encoding", lambda _: basic("böb", encoding="latin-1"), 401, WRONG),
    ("basic: very long password", lambda _: basic("bob", "x" * 8000), 401, WRONG),
    ("basic: no colon", lambda _: {"Authorization": "Basic Ym9i"}, 401, "no colon"),
    ("basic: no base64", lambda _: {"Authorization": "Basic %%%"}, 401, "no base64"),
    ("basic: nothing after it", lambda _: {"Authorization": "Basic"}, 401, "no colon"),
    ("header: too long", lambda _: bearer("x" * 1_000_000), 400, "more than 16384 bytes"),
    ("header: empty", lambda _: {"Authorization": ""}, 401, "send Basic or Bearer"),
    ("header: unknown scheme", lambda _: {"Authorization": "Digest a=b"}, 401, "send Basic or Bearer"),
    ("SoTicket", lambda _: {"Authorization": "SoTicket 7T:abc"}, 401, "SoTickets are not known here"),
    ("service token: good", _service_token, 200, "bob"),
    ("service token: of an administrator", lambda scene: _service_token(scene, "Ann"), 200, "Ann"),
    ("service token: with days left", lambda scene: _service_token(scene, days=1), 200, "bob"),
    ("service token: expired", _expired, 401, "has expired, or was revoked"),
    ("service token: revoked", _revoked, 401, "has expired, or was revoked"),
    ("service token: of a retired user", _of_retired, 401, "has expired, or was revoked"),
    ("service token: guessed", lambda _: bearer("bt_guess"), 401, "is not known"),
    ("service token: not ASCII", lambda _: {"Authorization": b"Bearer bt_\xff"}, 401, "is not known"),
    ("bearer: nothing after it", lambda _: {"Authorization": "Bearer"}, 401, NO_TOKEN),
    ("bearer: no token", lambda _: bearer("hello"), 401, NO_TOKEN),
    ("JWT: nested deeply", lambda _: bearer(_nested() + ".e30.x"), 401, NO_TOKEN),
    ("JWT: good", lambda scene: bearer(scene.provider.token()), 200, "bob"),
    ("JWT: without nbf", lambda scene: bearer(scene.provider.token(nbf=None)), 200, "bob"),
    ("JWT: without kid", lambda scene: bearer(scene.provider.token(kid=None)), 200, "bob"),
    ("JWT: padded signature", lambda scene: bearer(scene.provider.token(algorithm="PS256")), 200, "bob"),
    ("JWT: one audience of two", lambda scene: bearer(scene.provider.token(aud=["x", "batchtask"])), 200, "bob"),
    ("JWT: expired within leeway", lambda scene: bearer(scene.provider.token(exp=_in(-10))), 200, "bob"),
    ("JWT: expired", lambda scene: bearer(scene.provider.token(exp=_in(-40))), 401, "has expired"),
    ("JWT: not yet valid", lambda scene: bearer(scene.provider.token(nbf=_in(60))), 401, "not valid yet"),
    ("JWT: without exp", lambda scene: bearer(scene.provider.token(exp=None)), 401, "lacks the claim `exp`"),
    ("JWT: without iss", lambda scene: bearer(scene.provider.token(iss=None)), 401, "lacks the claim `iss`"),
    ("JWT: without aud", lambda scene: bearer(scene.provider.token(aud=None)), 401, "lacks the claim `aud`"),
    ("JWT: wrong issuer", lambda scene: bearer(scene.provider.token(iss="https://evil")), 401, "another issuer"),
    ("JWT: wrong audience", lambda scene: bearer(scene.provider.token(aud="other")), 401, "meant for somebody else"),
    ("JWT: without a name", lambda scene: bearer(scene.provider.token(preferred_username=None)), 401, "user's name"),
    ("JWT: name is a number", lambda scene: bearer(scene.provider.token(preferred_username=1)), 401, "user's name"),
    ("JWT: unknown user", lambda scene: bearer(scene.provider.token(preferred_username="zoe")), 401, NO_USER),
    ("JWT: retired user", lambda scene: bearer(scene.provider.token(preferred_username="rita")), 401, NO_USER),
    ("JWT: a stranger's key", lambda scene: bearer(scene.provider.token(STRANGERS_KEY)), 401, FORGED),
    ("JWT: unknown kid", lambda scene: bearer(scene.provider.token(kid="two")), 401, FORGED),
    ("JWT: alg none", _unsigned, 401, FORGED),
    ("JWT: public key as secret", _signed_by_public_key, 401, FORGED),
    ("JWT: changed claims", _changed_claims, 401, FORGED),
]  # fmt: skip


def _nested() -> str:
    return base64.urlsafe_b64encode(b'{"a":' + b"[" * 9000).decode().rstrip("=")


@pytest.mark.parametrize(("credential", "status", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_credential_is_taken_or_refused(
    scene: Scene, credential: Credential, status: int, says: str, method: str
) -> None:
    answer = scene.client.request(method, "/thing", headers=credential(scene))
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["name"] == says
    else:
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert says in answer.json()["detail"]
        assert "set-cookie" not in answer.headers
    if status == 401:
        assert answer.headers["www-authenticate"].startswith('Bearer realm="batchtask"')


def test_only_an_administrator_is_one(scene: Scene) -> None:
    assert scene.client.get("/thing", headers=basic("ann")).json()["administrator"] is True
    assert scene.client.get("/thing", headers=basic("bob")).json()["administrator"] is False


def test_two_authorization_headers_are_refused(scene: Scene) -> None:
    headers = [(b"authorization", basic("bob")["Authorization"].encode()), (b"authorization", b"Bearer bt_x")]
    scope: Any = {"type": "http", "method": "GET", "headers": headers, "client": None}
    connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
    with pytest.raises(BadRequest, match="send one"):
        asyncio.run(scene.client.authentication.caller_of(connection))


def test_a_bad_header_is_not_mended_by_a_good_cookie(scene: Scene) -> None:
    scene.client.log_in()
    assert scene.client.get("/thing").status_code == 200
    assert scene.client.get("/thing", headers=bearer("bt_wrong")).status_code == 401


@pytest.mark.parametrize(
    ("agent", "offered"), [("curl/8.5", True), ("", True), ("Mozilla/5.0 (X11; Linux) Chrome/140", False)]
)
def test_browsers_are_not_asked_for_basic_or_they_would_put_their_own_window_up(
    scene: Scene, agent: str, offered: bool
) -> None:
    challenge = scene.client.get("/thing", headers={"User-Agent": agent}).headers["www-authenticate"]
    assert ("Basic" in challenge) is offered


def test_where_basic_is_off_it_is_neither_taken_nor_offered(scene_url: str) -> None:
    with web_client(scene_url, web_basic=False) as client:
        answer = client.get("/thing", headers=basic("bob"))
        assert (answer.status_code, "Basic" in answer.headers["www-authenticate"]) == (401, False)
        assert client.log_in().status_code == 303
        assert client.get("/thing").status_code == 200


@pytest.mark.parametrize(
    ("origin", "site", "status"),
    [
        (None, None, 200),
        ("http://crm.example.com", None, 200),
        ("http://crm.example.com:80", None, 200),
        ("https://other.example.com", None, 200),
        ("https://evil.example.com", None, 403),
        ("http://crm.example.com:8080", None, 403),
        ("http://crm.example.com.evil.com", None, 403),
        ("http://crm.example.com@evil.com", None, 403),
        ("null", None, 403),
        ("file://", None, 403),
        ("http://[", None, 403),
        ("", None, 403),
        ("https://public.example.com", "same-origin", 200),
        ("https://public.example.com", "same-site", 403),
    ],
)
def test_a_page_of_a_stranger_changes_nothing_with_what_the_browser_adds(
    scene_url: str, origin: str | None, site: str | None, status: int
) -> None:
    said = {"Origin": origin, "Sec-Fetch-Site": site}
    headers = {name: value for name, value in said.items() if value is not None}
    with web_client(scene_url, web_origins="https://other.example.com") as client:
        assert client.post("/thing", headers=headers | basic("bob")).status_code == status
        assert client.get("/thing", headers=headers | basic("bob")).status_code == 200
        client.log_in()
        assert client.post("/thing", headers=headers | client.xsrf).status_code == status
        assert client.post("/login", headers=headers, data={"name": "bob"}).status_code == (
            403 if status == 403 else 303
        )


def test_a_password_check_is_shared_and_kept_for_a_moment(scene: Scene) -> None:
    began = time.perf_counter()
    for _ in range(50):
        assert scene.client.get("/thing", headers=basic("bob")).status_code == 200
    assert time.perf_counter() - began < 50 * 0.1  # one check takes some 0.2 s


def test_another_password_counts_when_the_moment_is_over(database_url: str) -> None:
    add_people(database_url)
    with web_client(database_url) as client:
        assert client.get("/thing", headers=basic("bob")).status_code == 200
        set_password(client.engine, "bob", "another long password")
        client.forget_all()
        assert client.get("/thing", headers=basic("bob")).status_code == 401
        assert client.get("/thing", headers=basic("bob", "another long password")).status_code == 200


def test_an_unknown_user_costs_about_as_much_as_a_wrong_password(scene: Scene) -> None:
    def seconds(name: str, password: str) -> float:
        began = time.perf_counter()
        scene.client.get("/thing", headers=basic(name, password))
        return time.perf_counter() - began

    seconds("bob", "warm up")
    known = min(seconds("bob", f"wrong {number}") for number in range(3))
    unknown = min(seconds("nobody", f"wrong {number}") for number in range(3))
    assert 0.5 < unknown / known < 2


def test_names_that_differ_in_case_alone_are_told_apart_only_as_spelt(database_url: str) -> None:
    add_people(database_url)
    with web_client(database_url) as client:
        run_sql(client.engine, "UPDATE crm7.associate SET name = 'BOB' WHERE name = 'rita'")
        assert client.get("/thing", headers=basic("bob")).json()["name"] == "bob"
        run_sql(client.engine, "UPDATE crm7.associate SET deleted = 0 WHERE name = 'BOB'")
        assert client.get("/thing", headers=basic("BOB")).json()["name"] == "BOB"
        assert client.get("/thing", headers=basic("Bob")).status_code == 401


def test_a_name_is_the_same_in_every_spelling_of_unicode(database_url: str) -> None:
    add_people(database_url)
    with web_client(database_url) as client:
        run_sql(client.engine, "UPDATE crm7.associate SET name = U&'Jos\\00E9' WHERE name = 'bob'")
        assert client.get("/thing", headers=basic("Jose\u0301")).json()["name"] == "Jos\u00e9"


def test_who_waits_for_approval_does_not_come_in(database_url: str) -> None:
    add_people(database_url)
    with web_client(database_url) as client:
        run_sql(client.engine, "UPDATE crm7.associate SET waiting_for_approval = 1 WHERE name = 'bob'")
        assert client.get("/thing", headers=basic("bob")).status_code == 401


def test_the_use_of_a_token_is_written_down_once_an_hour(scene: Scene) -> None:
    token_id, token = issue_token(scene.client.engine, "bob", "test")
    used = f"SELECT last_used_at FROM batchtask.service_token WHERE id = {token_id}"

    def last_used_at() -> Any:
        with scene.client.engine.connect() as connection:
            return connection.exec_driver_sql(used).scalar()

    assert last_used_at() is None
    scene.client.get("/thing", headers=bearer(token))
    first = last_used_at()
    assert first is not None
    scene.client.forget_all()
    scene.client.get("/thing", headers=bearer(token))
    assert last_used_at() == first


def test_a_token_is_nowhere_in_the_database(scene: Scene) -> None:
    _, token = issue_token(scene.client.engine, "bob", "test")
    with scene.client.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT t::text FROM batchtask.service_token t").scalars().all()
    assert not any(token in row or token.encode().hex() in row for row in rows)


def test_a_flood_of_logins_from_everywhere_is_turned_away_instead_of_queueing(scene: Scene) -> None:
    logins = scene.client.authentication.logins

    async def flood() -> list[BaseException | None]:
        guesses = (logins.find_user(f"user {number}", "wrong", f"10.0.0.{number}") for number in range(60))
        tasks = [asyncio.create_task(guess) for guess in guesses]
        await asyncio.sleep(0)
        turned_away = [task.exception() for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return turned_away

    assert [type(error) for error in asyncio.run(flood())] == [TooManyRequests] * (60 - AT_A_TIME - WAITING)
    assert scene.client.get("/thing", headers=basic("bob")).status_code == 200


def test_an_outage_of_the_database_is_503_and_nobodys_failure(database_url: str) -> None:
    add_people(database_url)
    with web_client(database_url) as client:
        run_sql(client.engine, "ALTER TABLE crm7.associate RENAME TO away")
        run_sql(client.engine, "REVOKE ALL ON batchtask.web_password FROM PUBLIC")
        for _ in range(7):
            assert client.get("/thing", headers=basic("bob")).status_code >= 500
        run_sql(client.engine, "ALTER TABLE crm7.away RENAME TO associate")
        assert client.get("/thing", headers=basic("bob")).status_code == 200
