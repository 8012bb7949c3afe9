"""Who gets in through a real web process: behind a proxy, past another process's cookies, and with raw bytes."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.access_support import PASSWORD, add_people, basic
from tests.system import Part, System

KEYS = {"secret_keys": Fernet.generate_key().decode()}
FORM = {"name": "bob", "password": PASSWORD}


@pytest.fixture
def people(system: System) -> System:
    add_people(system.engine.url.render_as_string(hide_password=False))
    return system


def started(system: System, **settings: object) -> Part:
    part = system.web(**KEYS, **settings)
    part.wait_ready()
    return part


def raw(web: Part, request: bytes) -> bytes:
    """Send bytes that no client would, and return the first line of the answer."""
    place = urlsplit(web.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline()


def test_a_session_of_one_process_holds_in_another_and_ends_in_both(people: System) -> None:
    one, other = started(people), started(people)
    with httpx.Client() as browser:
        assert browser.post(f"{one.url}/login", data=FORM).status_code == 303
        assert browser.get(f"{other.url}/api/v2/me").json()["name"] == "bob"
        token = {"X-XSRF-TOKEN": browser.cookies["XSRF-TOKEN"]}
        cookies = dict(browser.cookies)
        assert browser.post(f"{other.url}/logout", headers=token).headers["location"] == "/login"
        browser.cookies.update(cookies)
        assert browser.get(f"{other.url}/api/v2/me").status_code == 401
        assert browser.get(f"{one.url}/api/v2/me").status_code == 401


@pytest.mark.parametrize(("proxies", "believed"), [("", False), ("10.0.0.0/8", False), ("127.0.0.1", True)])
def test_only_a_proxy_that_is_named_says_how_and_from_where_a_request_came(
    people: System, proxies: str, believed: bool
) -> None:
    web = started(people, web_proxies=proxies)
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    answer = httpx.post(f"{web.url}/login", data=FORM, headers=forwarded)
    assert answer.headers["set-cookie"].startswith("__Host-") is believed
    wrong = FORM | {"password": "wrong"}
    for number in range(6):
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        answer = httpx.post(f"{web.url}/login", data=wrong, headers=headers)
    assert ("limited" not in answer.headers["location"]) is believed


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: Bearer " + b"x" * 1_000_000,
        b"Authorization: Basic " + b"\xff" * 100,
        b"Authorization: Basic Ym9iAA==",
        b"Authorization: \r\nAuthorization: Basic Ym9iOng=",
        b"Authorization: Basic Ym9iOng=\r\nAuthorization: Basic Ym9iOng=",
        b"Cookie: batchtask_session=" + b"x" * 30_000,
        b"Cookie: =;;;batchtask_session;batchtask_session=\xff;\x01",
    ],
    ids=["a megabyte", "no ASCII", "NUL", "one empty", "two", "long cookie", "strange cookie"],
)
def test_strange_headers_are_refused_and_the_server_serves_on(people: System, header: bytes) -> None:
    web = started(people)
    line = raw(web, b"GET /api/v2/me HTTP/1.1\r\nHost: x\r\n" + header + b"\r\nConnection: close\r\n\r\n")
    assert line.split()[1] in {b"400", b"401", b"431"}
    assert httpx.get(f"{web.url}/api/v2/me", headers=basic("bob")).json()["name"] == "bob"
    assert "Traceback" not in web.output
