"""From where a request comes: whose pages may call, no forged requests from any other, and the address."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection

from batchtask.http.problems import Forbidden
from batchtask.settings import Settings

Connection = ASGIConnection[Any, Any, Any, Any]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
EVERY_ORIGIN = "*"
_PORTS = {"http": 80, "https": 443}
_EXPOSED = ["Location", "Retry-After", "WWW-Authenticate", "Content-Disposition", "X-Limit"]


def cors_config(settings: Settings) -> CORSConfig | None:
    """Make what Litestar takes from `web_origins`; None when no other origin may call.

    Origins that are named may call with the cookie of the session. Where all may, none has it: they bring tokens.
    """
    origins = settings.web_origins.split()
    if not origins:
        return None
    if EVERY_ORIGIN in origins:
        return CORSConfig(expose_headers=_EXPOSED)
    return CORSConfig(allow_origins=origins, allow_credentials=True, expose_headers=_EXPOSED)


def require_own_origin(connection: Connection, origins: Collection[str]) -> None:
    """Refuse to change anything for a page of a stranger, which a browser sends the user's credentials with.

    Programs that are no browsers send no `Origin`, and pass.

    Args:
        connection: The request.
        origins: Other origins whose pages may; `*` is none, for it comes without credentials.

    Raises:
        Forbidden: The request comes from a page of another origin.
    """
    origin = connection.headers.get("origin")
    if connection.scope.get("method", "GET") in SAFE_METHODS or origin is None or origin in origins:
        return
    # What a browser says of its own; no page can make it say so. It holds behind proxies that change `Host`, too.
    if connection.headers.get("sec-fetch-site") == "same-origin":
        return
    if not _is_own(origin, connection.headers.get("host", "")):
        raise Forbidden(
            "this request comes from a page of another origin: if that may call here, an administrator adds it to "
            "BATCHTASK_WEB_ORIGINS"
        )


def address_of(connection: Connection) -> str:
    """Tell from where a request came; behind a proxy that `web_proxies` names, from where it came to the proxy."""
    client = connection.client
    return client.host if client else "unknown"


def _is_own(origin: str, host: str) -> bool:
    """Compare host and port; not the scheme, which a proxy may have changed."""
    try:
        theirs = urlsplit(origin)
        own = urlsplit(f"{theirs.scheme}://{host}")
        usual = _PORTS.get(theirs.scheme)
        same_port = (theirs.port or usual) == (own.port or usual)
    except ValueError:
        return False
    return theirs.scheme in _PORTS and bool(theirs.hostname) and theirs.hostname == own.hostname and same_port
