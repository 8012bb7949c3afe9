"""The pages and what they are made of: html, css and JavaScript as they lie in `projections/pages`.

All of it is public, because none of it says anything about a task: what it shows comes from `/api/v2`, which asks
who is there. Links between the files are relative, so the application may be mounted below any path.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED

from batchtask.http.authentication import PUBLIC
from batchtask.http.negotiation import ANY_MEDIA
from batchtask.http.problems import NotFound

FOLDER = Path(__file__).parents[1] / "pages"
#: Which file is shown where.
PAGES = {
    "/": "tasks.html",
    "/tasks": "tasks.html",  # what is left of a task's address without its number
    "/login": "login.html",
    "/tasks/{number:str}": "task.html",
    "/operations": "operations.html",
}
#: To those of texts the framework adds the charset.
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
#: Nothing but our own files runs or is loaded, whatever a task may have in its texts.
CONTENT_SECURITY_POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
))  # fmt: skip
HEADERS = {
    # Asked for every time, and answered with 304: a new version is never mixed with files of an old one.
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
}
PAGE_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "same-origin"}
#: A page of another origin may embed the indicator: modules are fetched under the rules of cross-origin requests.
ASSET_HEADERS = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

_OPEN = {ANY_MEDIA: True, PUBLIC: True}
_READ = [HttpMethod.GET, HttpMethod.HEAD]


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent."""

    content: bytes
    media_type: str
    etag: str


def page_handlers() -> list[HTTPRouteHandler]:
    """Return the handlers of all pages and of their files."""
    return [*(_page(path, name) for path, name in PAGES.items()), asset]


@route("/pages/{name:str}", http_method=_READ, opt=_OPEN, sync_to_thread=False, include_in_schema=False)
def asset(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """Send a style sheet or a module.

    Raises:
        NotFound: There is no such file.
    """
    return _sent(name, request, ASSET_HEADERS)


def _page(path: str, name: str) -> HTTPRouteHandler:
    @route(path, http_method=_READ, opt=_OPEN, sync_to_thread=False, include_in_schema=False, name=f"page {name}")
    def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _sent(name, request, PAGE_HEADERS)

    return page


def _sent(name: str, request: Request[Any, Any, Any], more: dict[str, str]) -> Response[bytes]:
    file = _files().get(name)
    if file is None:
        raise NotFound(f"there is no file {name!r} among those of the pages")
    headers = {**HEADERS, **more, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(file.content, status_code=HTTP_200_OK, headers=headers, media_type=file.media_type)


@cache
def _files() -> dict[str, StaticFile]:
    """Read all files once: a request's path never reaches the disk."""
    return {path.name: _read(path) for path in FOLDER.iterdir() if path.suffix in TYPES}


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return StaticFile(content, TYPES[path.suffix], f'"{digest}"')
