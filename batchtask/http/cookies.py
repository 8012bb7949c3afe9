"""The two cookies of a browser: the session, which no script reads, and the XSRF token, which scripts send back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

Connection = ASGIConnection[Any, Any, Any, Any]

XSRF_COOKIE = "XSRF-TOKEN"
#: A cookie so named no other host can set, and none over http: a neighbour cannot put its own session in the way.
#: https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
_SECURE_SESSION, _SESSION = "__Host-batchtask_session", "batchtask_session"
_LAX: Literal["lax"] = "lax"


def session_cookie(connection: Connection) -> str | None:
    """Read the session cookie; None when there is none, or two that differ, of which one is somebody else's."""
    wanted = _session_name(connection)
    found = {value for name, value in _pairs(connection.headers.getall("cookie", [])) if name == wanted}
    return found.pop() if len(found) == 1 else None


def cookies_of_login(connection: Connection, session: str, xsrf_token: str, seconds: int) -> list[Cookie]:
    """Make the cookies that begin a session; over https none of them is ever sent over http."""
    return [
        _cookie(connection, _session_name(connection), session, seconds, httponly=True),
        _cookie(connection, XSRF_COOKIE, xsrf_token, seconds, httponly=False),
    ]


def cookies_of_logout(connection: Connection) -> list[Cookie]:
    """Make the cookies that remove those of `cookies_of_login`."""
    return cookies_of_login(connection, "", "", 0)


def _cookie(connection: Connection, name: str, value: str, seconds: int, *, httponly: bool) -> Cookie:
    # Path "/": scripts of the page around the indicator read the token, wherever we are mounted.
    secure = _is_secure(connection)
    return Cookie(name, value=value, path="/", max_age=seconds, secure=secure, httponly=httponly, samesite=_LAX)


def _session_name(connection: Connection) -> str:
    return _SECURE_SESSION if _is_secure(connection) else _SESSION


def _is_secure(connection: Connection) -> bool:
    return str(connection.scope.get("scheme")) == "https"


def _pairs(headers: Sequence[str]) -> list[tuple[str, str]]:
    # Read here, for Litestar's reading keeps a thousand headers, sessions included, in memory, and hides doubles.
    parts = [part.strip().partition("=") for header in headers for part in header.split(";")]
    return [(name, value) for name, _, value in parts]
