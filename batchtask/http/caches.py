"""What every answer says that does not say otherwise: keep me nowhere, and take me for what I say I am."""

from __future__ import annotations

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

_UNLESS_SAID = {
    # Answers are one caller's, and change: neither a proxy nor a shared browser's memory shall show them to the next.
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


async def keep_nowhere(message: Message, _: Scope) -> None:
    """Add the headers to the beginning of an answer. A hook of the application, called before it sends anything."""
    if message["type"] == "http.response.start":
        message.setdefault("headers", [])
        headers = MutableScopeHeaders.from_message(message)
        for name, value in _UNLESS_SAID.items():
            headers.setdefault(name, value)
