"""Below which path an application around ours has mounted us. What leads back here has to begin with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

Connection = ASGIConnection[Any, Any, Any, Any]

#: Where the scope keeps the whole path, for routing leaves less of it.
_WHOLE = "batchtask.whole_path"


class MountableApp(Litestar):
    """An application that finds its way in both conventions of those who mount it.

    By the specification `path` holds the whole path, `root_path` included; others leave only what follows it there.
    Litestar takes away the first `root_path` that it finds in `path`: of `/api/v2/tasks/3` below `/tasks`, that is
    the wrong one. https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
    """

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        if scope["type"] != "lifespan":
            whole = _whole_path(scope)
            scope = dict(scope, path=whole, **{_WHOLE: whole})  # type: ignore[assignment]
        await super().__call__(scope, receive, send)


def root_of(connection: Connection) -> str:
    """Return the path below which we are mounted; empty = at the top."""
    return root_in(connection.scope)


def path_of(connection: Connection) -> str:
    """Return the whole path of a request, as its caller knows it."""
    return str(connection.scope.get(_WHOLE) or _whole_path(connection.scope))


def root_in(scope: Scope) -> str:
    """Return the same, of a request that has no connection yet."""
    return str(scope.get("root_path") or "").rstrip("/")


def _whole_path(scope: Scope) -> str:
    root, path = root_in(scope), scope["path"]
    # Nobody cuts the raw path: below `/tasks` it tells the page of a task, `/tasks/3`, from what is `/3` there.
    raw = unquote((scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1"))
    is_whole = (path == root or path.startswith(f"{root}/")) and raw != root + path
    return path if is_whole or not root else root + path
