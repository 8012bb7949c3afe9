"""The application below a path, called as frameworks do: with the whole path, or with what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urljoin

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from batchtask.settings import Settings
from batchtask.web.app import create_app

APP = create_app(Settings(database_url="postgresql://nobody@127.0.0.1/nothing"))
HOST = "http://crm.example.com"
PATHS = ["", "/batch", "/crm/batch", "/tasks", "/pages", "/v2", "/api"]

Convention = Callable[[Scope, str], Scope]


def whole(scope: Scope, root: str) -> Scope:
    """Call as the specification wants it, and Starlette does."""
    return dict(scope, root_path=root)  # type: ignore[return-value]


def what_follows(scope: Scope, root: str) -> Scope:
    """Call as Litestar does, and others that came before the specification was clear."""
    return dict(scope, root_path=root, path=scope["path"].removeprefix(root))  # type: ignore[return-value]


CONVENTIONS = pytest.mark.parametrize("convention", [whole, what_follows])
BELOW = pytest.mark.parametrize("root", PATHS)


def get(convention: Convention, root: str, path: str) -> httpx.Response:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await APP(convention(scope, root), receive, send)

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=mounted)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            return await client.get(root + path)

    return asyncio.run(asked())


@BELOW
@CONVENTIONS
def test_pages_and_api_are_found_below_any_path(root: str, convention: Convention) -> None:
    assert get(convention, root, "/tasks/3").headers["content-type"].startswith("text/html")
    assert get(convention, root, "/pages/base.css").headers["content-type"].startswith("text/css")
    assert "/api/v2/tasks" in get(convention, root, "/api/openapi.json").json()["paths"]


@BELOW
@CONVENTIONS
@pytest.mark.parametrize("path", ["/api/v2/nothing", "/pages/nothing.js"])  # refused by the router, and by a handler
def test_a_problem_names_the_path_that_its_caller_knows(root: str, convention: Convention, path: str) -> None:
    assert get(convention, root, path).json()["instance"] == root + path


@BELOW
def test_the_document_names_the_server_that_it_came_from(root: str) -> None:
    server = get(whole, root, "/api/openapi.json").json()["servers"][0]["url"]
    assert urljoin(f"{HOST}{root}/api/openapi.json", server) == f"{HOST}{root}/"
