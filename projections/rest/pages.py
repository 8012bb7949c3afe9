"""The pages and what they are made of: html, css and JavaScript as they lie in `projections/pages`.

All of it is public, because none of it says anything about a task: what it shows comes from `/api/v2`, which asks
who is there. Links between the files are relative, so the application may be mounted below any path. Only the page
for an address that there is not is filled in: relative links lead nowhere from an address of any depth.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED, HTTP_404_NOT_FOUND

from batchtask.http.authentication import PUBLIC
from batchtask.http.mounting import path_of, root_of
from batchtask.http.negotiation import ANY_MEDIA, prefers_html
from batchtask.http.problem_handlers import answer_http_exception

FOLDER = Path(__file__).parents[1] / "pages"
#: Which file is shown where.
PAGES = {
    "/": "tasks.html",
    "/tasks": "tasks.html",  # what is left of a task's address without its number
    "/login": "login.html",
    "/tasks/{number:str}": "task.html",
    "/operations": "operations.html",
}
#: Shown where there is nothing; `{root}` in it is the path below which we are mounted.
NOTHING = "nothing.html"
#: Of the APIs and their document: what is not there is told to programs.
API = "/api"
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
        NotFoundException: There is no such file.
    """
    return _sent(name, request, ASSET_HEADERS)


def answer_nothing_here(request: Request[Any, Any, Any], error: NotFoundException) -> Response[Any]:
    """Answer an address that there is not: with a page to a browser that asks for one, else with the problem."""
    path = path_of(request).removeprefix(root_of(request)).lower()
    is_of_api = path == API or path.startswith(f"{API}/")
    if is_of_api or not prefers_html(request.headers.get("accept", "")):
        return answer_http_exception(request, error)
    root = escape(quote(root_of(request)))
    content = _files()[NOTHING].content.replace(b"{root}", root.encode())
    return Response(content, status_code=HTTP_404_NOT_FOUND, headers=PAGE_HEADERS, media_type=TYPES[".html"])


def _page(path: str, name: str) -> HTTPRouteHandler:
    @route(path, http_method=_READ, opt=_OPEN, sync_to_thread=False, include_in_schema=False, name=f"page {name}")
    def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _sent(name, request, PAGE_HEADERS)

    return page


def _sent(name: str, request: Request[Any, Any, Any], more: dict[str, str]) -> Response[bytes]:
    file = _files().get(name)
    if file is None:
        raise NotFoundException
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
