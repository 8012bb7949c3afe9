"""What a caller accepts. The API speaks JSON only; files, pages and streams say so at their handlers."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler

from batchtask.http.problems import NotAcceptable, UnsupportedMedia

#: What the original lists for its answers; all of it is JSON.
JSON_TYPES = frozenset({
    "application/json", "text/json", "application/json-patch+json", "application/merge-patch+json",
    "application/problem+json",
})  # fmt: skip
#: `opt` of a handler that answers with something else than JSON.
ANY_MEDIA = "any_media"


def require_json_accepted(connection: ASGIConnection[BaseRouteHandler, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a caller that wants no JSON, before anything is done for it. A guard.

    Where there is nothing to answer with, any `Accept` is satisfied.

    Raises:
        NotAcceptable: `Accept` names other types only.
    """
    handler = connection.route_handler
    empty = isinstance(handler, HTTPRouteHandler) and handler.status_code == HTTPStatus.NO_CONTENT
    if not (empty or handler.opt.get(ANY_MEDIA)):
        require_json(connection.headers.get("accept", ""))


def require_json(accept: str) -> None:
    """Refuse an `Accept` header that JSON does not satisfy.

    Raises:
        NotAcceptable: It names other types only.
    """
    if not accepts_json(accept):
        raise NotAcceptable(f"this API answers in JSON only: send `Accept: application/json`, not {accept[:100]!r}")


def require_json_sent(connection: ASGIConnection[BaseRouteHandler, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a body in the other formats that the original takes. A guard.

    Raises:
        UnsupportedMedia: It is XML or a form.
    """
    name, _quality = _range(connection.headers.get("content-type", ""))
    if connection.headers.get("content-length") != "0" and (name.endswith("xml") or "form" in name):
        raise UnsupportedMedia(f"this API takes JSON only: send `Content-Type: application/json`, not {name[:100]!r}")


def accepts_json(accept: str) -> bool:
    """Tell whether JSON is among what an `Accept` header names; nothing named means anything."""
    return _json_quality(_qualities(accept)) > 0


def prefers_html(accept: str) -> bool:
    """Tell whether a page is wanted rather than JSON, as browsers say when somebody follows a link."""
    qualities = _qualities(accept)
    return qualities.get("text/html", 0.0) > _json_quality(qualities)


def _qualities(accept: str) -> dict[str, float]:
    return dict(_range(part) for part in accept.split(",") if part.strip())


def _json_quality(qualities: Mapping[str, float]) -> float:
    if not qualities:
        return 1.0
    named = [quality for name, quality in qualities.items() if name in JSON_TYPES]
    fitting = [qualities[name] for name in ("application/*", "text/*", "*/*", "*") if name in qualities]
    # What is named exactly counts before what fits: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
    return max(named or fitting, default=0.0)


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, float(value)
            except ValueError:
                return name, 0.0
    return name, 1.0
