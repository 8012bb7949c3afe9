"""What browsers and proxies may keep: nothing of the APIs, whose answers are one caller's, and true for a moment."""

from __future__ import annotations

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope


async def keep_out_of_caches(message: Message, scope: Scope) -> None:
    """Say so on each answer of the APIs, errors too, that says nothing about it itself. A hook before sending."""
    if message["type"] == "http.response.start" and scope["path"].startswith("/api/"):
        MutableScopeHeaders.from_message(message).setdefault("Cache-Control", "no-store")
