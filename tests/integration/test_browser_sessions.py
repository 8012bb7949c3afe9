"""Logging in and out with a browser: cookies, the XSRF token, where a login leads, and what ends a session."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from jwt.warnings import InsecureKeyLengthWarning

from batchtask.http.callers import Caller
from batchtask.http.problems import NotAuthenticated
from batchtask.http.sessions import derived_keys
from batchtask.http.web_users import remove_password, set_password
from batchtask.settings import Settings
from tests.access_support import PASSWORD, Client, add_people, basic, retire, run_sql, web_client

KEY = "a-key-of-the-test"
NAME = "batchtask_session"


@pytest.fixture(scope="module")
def people_url(databases: Any) -> Iterator[str]:
    with databases() as url:
        add_people(url)
        yield url


@pytest.fixture
def browser(people_url: str) -> Iterator[Client]:
    with web_client(people_url, secret_keys=KEY) as client:
        yield client


def _claims(browser: Client) -> dict[str, Any]:
    return jwt.decode(browser.cookies[NAME], options={"verify_signature": False})


def _signed(claims: dict[str, Any], *, key: str = KEY, purpose: str = "sessions", algorithm: str = "HS256") -> str:
    return jwt.encode(claims, derived_keys(Settings(secret_keys=key), purpose)[0], algorithm=algorithm)


def _put(browser: Client, value: str) -> None:
    token = browser.cookies["XSRF-TOKEN"]
    browser.cookies.clear()
    browser.cookies.set(NAME, value)
    browser.cookies.set("XSRF-TOKEN", token)


def _change(**changes: Any) -> Callable[[Client], None]:
    return lambda browser: _put(browser, _signed(_claims(browser) | changes))


def _tampered(browser: Client) -> None:
    head, body, signature = browser.cookies[NAME].split(".")
    _put(browser, f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}")


def _unsigned(browser: Client) -> None:
    _put(browser, jwt.encode(_claims(browser), None, algorithm="none"))


def _other_key(browser: Client) -> None:
    _put(browser, _signed(_claims(browser), key="another"))


def _key_of_another_purpose(browser: Client) -> None:
    _put(browser, _signed(_claims(browser), purpose="xsrf tokens"))


def _put_hs512(browser: Client) -> None:
    with pytest.warns(InsecureKeyLengthWarning):
        _put(browser, _signed(_claims(browser), algorithm="HS512"))


def _twice(browser: Client) -> None:
    own = browser.cookies[NAME]
    browser.cookies.clear()
    browser.headers["Cookie"] = f"{NAME}={own}; {NAME}={_signed({'aud': 'x'})}"


#: state of the cookie, how it gets there, the status of a GET
COOKIES: list[tuple[str, Callable[[Client], None], int]] = [
    ("good", lambda _: None, 200),
    ("signed with another algorithm", _put_hs512, 401),
    ("none", lambda b: b.cookies.clear(), 401),
    ("empty", lambda b: _put(b, ""), 401),
    ("no token", lambda b: _put(b, "hello"), 401),
    ("tampered", _tampered, 401),
    ("not signed", _unsigned, 401),
    ("signed with another key", _other_key, 401),
    ("signed with the key of XSRF tokens", _key_of_another_purpose, 401),
    ("over", _change(exp=int(time.time()) - 1), 401),
    ("made for something else", _change(aud="other"), 401),
    ("of the system", _change(sub="0"), 401),
    ("of another password", _change(pwd=1), 401),
    ("of a user who is not there", _change(sub="2147483647"), 401),
    ("too long", _change(more="x" * 2000), 401),
    ("there twice", _twice, 401),
]


@pytest.mark.parametrize(("arrange", "status"), [row[1:] for row in COOKIES], ids=[row[0] for row in COOKIES])
def test_a_session_is_taken_or_refused(browser: Client, arrange: Callable[[Client], None], status: int) -> None:
    browser.log_in()
    arrange(browser)
    browser.forget_all()
    answer = browser.get("/thing")
    assert answer.status_code == status, answer.text
    assert status == 200 or "log in" in answer.json()["detail"]


def _others_token(browser: Client) -> str:
    mine = dict(browser.cookies)
    browser.log_in("Ann")
    theirs = browser.cookies["XSRF-TOKEN"]
    browser.cookies.clear()
    for name, value in mine.items():
        browser.cookies.set(name, value)
    return str(theirs)


def _input(browser: Client) -> dict[str, str]:
    return {"xsrf_token": browser.cookies["XSRF-TOKEN"]}


#: the XSRF token of a POST, what is sent, the status
TOKENS: list[tuple[str, Callable[[Client], dict[str, Any]], int]] = [
    ("in the header", lambda b: {"headers": b.xsrf}, 200),
    ("in a hidden input", lambda b: {"data": _input(b)}, 200),
    ("missing", lambda _: {}, 403),
    ("empty", lambda _: {"headers": {"X-XSRF-TOKEN": ""}}, 403),
    ("empty, with a good input", lambda b: {"headers": {"X-XSRF-TOKEN": ""}, "data": _input(b)}, 403),
    ("made up", lambda _: {"headers": {"X-XSRF-TOKEN": "x" * 43}}, 403),
    ("not ASCII", lambda _: {"headers": {b"X-XSRF-TOKEN": b"\xff\xfe"}}, 403),
    ("of another session", lambda b: {"headers": {"X-XSRF-TOKEN": _others_token(b)}}, 403),
    ("in JSON", lambda b: {"json": _input(b)}, 403),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "status"), [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
def test_a_change_needs_the_sessions_own_xsrf_token(
    browser: Client, sent: Callable[[Client], dict[str, Any]], status: int
) -> None:
    browser.log_in()
    answer = browser.post("/thing", **sent(browser))
    assert answer.status_code == status, answer.text
    assert status == 200 or "X-XSRF-TOKEN" in answer.json()["detail"]


def test_the_cookies_are_closed_to_scripts_and_to_other_sites(browser: Client) -> None:
    session, xsrf = browser.log_in().headers.get_list("set-cookie")
    assert session.startswith(f"{NAME}=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=43200"} <= set(session.split("; "))
    assert xsrf.startswith("XSRF-TOKEN=")
    assert "HttpOnly" not in xsrf
    assert "Secure" not in session


def test_over_https_no_cookie_is_ever_sent_over_http(people_url: str) -> None:
    with web_client(people_url, base_url="https://crm.example.com") as client:
        session, xsrf = client.log_in().headers.get_list("set-cookie")
        assert session.startswith("__Host-batchtask_session=")
        assert "Secure" in session.split("; ")
        assert "Secure" in xsrf.split("; ")
        assert client.get("/thing").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/pages/tasks.html?state=failed#top", "/pages/tasks.html?state=failed#top"),
        ("/a b/ø", "/a%20b/%C3%B8"),
        ("", "/"),
        ("tasks", "/"),
        ("https://evil.com/", "/"),
        ("//evil.com/", "/"),
        ("///evil.com/", "/"),
        ("/\\evil.com/", "/"),
        ("\\\\evil.com", "/"),
        ("/\t/evil.com", "/"),
        ("\t//evil.com", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("http:evil.com", "/"),
        ("http://[", "/"),
        ("/\0", "/"),
    ],
)
def test_a_login_leads_to_a_page_of_ours(browser: Client, wanted: str, leads_to: str) -> None:
    answer = browser.log_in(next=wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
    assert set(answer.cookies) == {NAME, "XSRF-TOKEN"}
    assert answer.headers["cache-control"] == "no-store"


def test_a_failed_login_leads_back_to_the_form_and_says_nothing_of_why(browser: Client) -> None:
    for name, password in [("bob", "wrong"), ("nobody", PASSWORD), ("rita", PASSWORD), ("", "")]:
        answer = browser.log_in(name, password, next="/x?a=b")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?failed=1&next=%2Fx%3Fa%3Db")
        assert "set-cookie" not in answer.headers


def test_a_form_says_how_long_to_wait_after_too_many_failures(browser: Client) -> None:
    for _ in range(5):
        assert "failed=1" in browser.log_in("bob", "wrong").headers["location"]
    answer = browser.log_in("bob", PASSWORD)
    assert answer.headers["location"].startswith("/login?limited=")
    assert 25 <= int(answer.headers["location"].partition("limited=")[2].partition("&")[0]) <= 30
    assert browser.log_in("Ann").headers["location"] == "/"


def test_basic_says_how_long_to_wait_after_too_many_failures(browser: Client) -> None:
    for number in range(5):
        assert browser.get("/thing", headers=basic("bob", f"wrong {number}")).status_code == 401
    answer = browser.get("/thing", headers=basic("bob", "wrong 5"))
    assert answer.status_code == 429
    assert 25 <= int(answer.headers["retry-after"]) <= 30
    assert "seconds, then try again" in answer.json()["detail"]


def test_the_same_wrong_password_over_and_over_is_one_failure(browser: Client) -> None:
    for _ in range(20):
        assert browser.get("/thing", headers=basic("bob", "the old one")).status_code == 401
    assert browser.get("/thing", headers=basic("bob")).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"name=bob&password=%", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"name=%00&password=%FF", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(200)), "application/x-www-form-urlencoded"),
        (b'{"name": "bob"}', "application/json"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"name=bob", ""),
    ],
)
def test_what_is_no_good_form_is_a_failed_login(browser: Client, body: bytes, kind: str) -> None:
    answer = browser.post("/login", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, "failed=1" in answer.headers.get("location", "")) == (303, True)


def test_a_form_that_cannot_be_checked_leads_back_and_says_so_and_is_nobodys_failure() -> None:
    with web_client("postgresql+psycopg://nobody@127.0.0.1:1/nothing") as browser:
        for _ in range(7):
            assert browser.log_in(next="/tasks/3").headers["location"] == "/login?away=1&next=%2Ftasks%2F3"


def test_a_form_of_a_megabyte_is_refused(browser: Client) -> None:
    assert browser.log_in(password="x" * 1_000_000).status_code == 413


def test_a_logout_ends_the_session_everywhere_and_removes_the_cookies(browser: Client, people_url: str) -> None:
    browser.log_in()
    cookies, token = dict(browser.cookies), browser.xsrf
    answer = browser.post("/logout", headers=token)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert not browser.cookies
    with web_client(people_url, secret_keys=KEY) as elsewhere:
        for client in (browser, elsewhere):
            client.cookies.update(cookies)
            assert client.get("/thing").status_code == 401
            assert client.post("/logout", headers=token).status_code == 303


def test_nobody_else_logs_a_user_out(browser: Client) -> None:
    browser.log_in()
    assert browser.post("/logout").status_code == 403
    assert browser.post("/logout", headers=browser.xsrf | {"Origin": "http://evil.com"}).status_code == 403
    assert browser.get("/thing").status_code == 200


def test_a_logout_without_a_session_leads_to_the_form(browser: Client) -> None:
    assert browser.post("/logout").headers["location"] == "/login"


def test_ended_sessions_are_kept_as_long_as_they_would_have_lasted(browser: Client) -> None:
    run_sql(browser.engine, "INSERT INTO batchtask.ended_session VALUES ('over', now() - interval '1 second')")
    browser.log_in()
    browser.post("/logout", headers=browser.xsrf)
    with browser.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT session_id FROM batchtask.ended_session").scalars().all()
    assert kept
    assert "over" not in kept


@pytest.mark.parametrize(
    "change",
    [
        lambda engine: set_password(engine, "bob", "another long password"),
        lambda engine: set_password(engine, "bob", PASSWORD),
        lambda engine: remove_password(engine, "bob"),
        lambda engine: retire(engine, "bob"),
    ],
    ids=["another password", "the same password, set anew", "no password", "retired"],
)
def test_what_happens_to_a_user_ends_their_sessions(database_url: str, change: Callable[[Any], Any]) -> None:
    add_people(database_url)
    with web_client(database_url) as client:
        client.log_in()
        assert client.get("/thing").status_code == 200
        change(client.engine)
        client.forget_all()
        assert client.get("/thing").status_code == 401


def test_a_session_outlives_the_process_where_keys_are_set_and_their_change(people_url: str) -> None:
    with web_client(people_url, secret_keys="old") as before:
        before.log_in()
        cookies, token = dict(before.cookies), before.xsrf
    for keys, status in [("old", 200), ("new, old", 200), ("new", 401), ("", 401)]:
        with web_client(people_url, secret_keys=keys) as after:
            after.cookies.update(cookies)
            assert after.post("/thing", headers=token).status_code == status, keys


def test_without_keys_the_log_says_that_sessions_end_with_the_process(
    people_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), web_client(people_url, secret_keys=" , ") as client:
        client.log_in()
        assert client.get("/thing").status_code == 200
    assert "BATCHTASK_SECRET_KEYS is not set" in caplog.text


def test_a_page_learns_who_logged_in_and_its_token(browser: Client) -> None:
    browser.log_in("ann")
    answer = browser.get("/session")
    view = answer.json()
    assert (view["name"], view["administrator"]) == ("Ann", True)
    assert view["xsrf_token"] == browser.cookies["XSRF-TOKEN"]
    assert 43_190 <= view["ends_at"] - time.time() <= 43_201
    assert answer.headers["cache-control"] == "no-store"


def test_there_is_no_session_with_another_credential(browser: Client) -> None:
    assert browser.get("/session").status_code == 401
    assert browser.get("/session", headers=basic("bob")).status_code == 404


@pytest.mark.parametrize(
    ("origins", "asking", "allowed", "with_cookies"),
    [
        ("", "http://a.example.com", None, False),
        ("http://a.example.com", "http://a.example.com", "http://a.example.com", True),
        ("http://a.example.com https://b.no:8443", "https://b.no:8443", "https://b.no:8443", True),
        ("http://a.example.com", "http://aXexample.com", None, True),
        ("http://a.example.com", "http://a.example.com.evil.com", None, True),
        ("http://a.example.com", "null", None, True),
        ("*", "http://anything", "*", False),
        ("http://a.example.com *", "http://anything", "*", False),
    ],
)  # fmt: skip
def test_pages_of_other_origins_read_what_the_setting_lets_them(
    people_url: str, origins: str, asking: str, allowed: str | None, with_cookies: bool
) -> None:
    with web_client(people_url, web_origins=origins) as client:
        answer = client.get("/thing", headers=basic("bob") | {"Origin": asking})
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert answer.headers.get("access-control-allow-credentials") == ("true" if with_cookies else None)


def test_an_application_around_ours_tells_who_calls_or_leaves_it_to_us(people_url: str) -> None:
    async def own_way(connection: Any) -> Caller | None:
        match connection.headers.get("x-user"):
            case "stranger":
                raise NotAuthenticated("not you")
            case str(name):
                return Caller(associate_id=77, name=name)
        return None

    with web_client(people_url, authenticate=own_way) as client:
        assert client.get("/thing", headers={"X-User": "zoe"}).json()["associate_id"] == 77
        assert client.get("/thing", headers={"X-User": "stranger"} | basic("bob")).json()["detail"] == "not you"
        assert client.get("/thing", headers=basic("bob")).json()["name"] == "bob"
        forged = {"X-User": "zoe", "Origin": "http://evil.com"}
        assert client.post("/thing", headers=forged).status_code == 403


def test_mounted_below_a_path_a_login_leads_back_there(people_url: str) -> None:
    with web_client(people_url, root_path="/crm/tasks") as mounted:
        assert mounted.log_in().headers["location"] == "/crm/tasks/"
        failed = mounted.log_in("bob", "wrong").headers["location"]
        assert failed == "/crm/tasks/login?failed=1&next=%2Fcrm%2Ftasks%2F"
        assert mounted.post("/logout", headers=mounted.xsrf).headers["location"] == "/crm/tasks/login"
