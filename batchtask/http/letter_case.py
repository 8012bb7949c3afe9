"""Letter case in the SuperOffice-compatible API: it does not matter in paths, names of options and of properties.

The original is built with ASP.NET, which does not look at it either, so its callers write `/api/v1/batchtask` and
`$orderby`. What is asked for is spelled as the OpenAPI document has it before anything else sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, cast, get_args
from urllib.parse import unquote_plus

import msgspec
from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from batchtask.http.mounting import root_in

PREFIX = "/api/v1/"
#: Query parameters of the compatible API.
QUERY_NAMES = (
    "$select", "$filter", "$orderBy", "$entities", "$top", "$skip", "$mode", "$options", "$context", "$format",
    "$jsonSafe", "$output",
)  # fmt: skip
_QUERY_NAMES = {name.lower(): name for name in QUERY_NAMES}
#: Some clients of the original put it before what they send.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class AnyLetterCase:
    """Spells paths and queries of the compatible API as its handlers do. Wraps an ASGI application.

    Args:
        app: Asked for everything.
        paths: Of its handlers.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        own = [path for path in paths if path.startswith(PREFIX)]
        self._words = {word.lower(): word for path in own for word in path.split("/") if "{" not in word}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(self._spelled(scope) if scope["type"] == ScopeType.HTTP else scope, receive, send)

    def _spelled(self, scope: Scope) -> Scope:
        # Where another application mounts us, its own path may stand before ours.
        root = root_in(scope)
        mounted_at = root if scope["path"].startswith(f"{root}/") else ""
        path = scope["path"].removeprefix(mounted_at)
        if not path.lower().startswith(PREFIX):
            return scope
        words = [self._words.get(word.lower(), word) for word in path.split("/")]
        changed = {"path": mounted_at + "/".join(words), "query_string": spelled_query(scope["query_string"])}
        return cast(Scope, {**scope, **changed})


def spelled_query(query: bytes) -> bytes:
    """Return a query whose known names are spelled as ours; of these, what is empty is left out, as if not sent."""
    return b"&".join(part for part in map(_spelled_option, query.split(b"&")) if part)


def _spelled_option(part: bytes) -> bytes:
    name, sign, value = part.partition(b"=")
    known = _QUERY_NAMES.get(unquote_plus(name.decode("latin-1")).lower())
    if known is None:
        return part
    return known.encode() + sign + value if value else b""


class AnyLetterCaseRequest(Request[Any, Any, Any]):
    """A request whose JSON has its properties spelled as the handler's `data` does."""

    async def body(self) -> bytes:
        """Return what was sent, from its first character on."""
        return (await super().body()).removeprefix(_BYTE_ORDER_MARK)

    async def json(self) -> Any:
        """Return the JSON that was sent."""
        data = self.route_handler.parsed_data_field
        return spelled_properties(await super().json(), data.annotation if data else None)


def spelled_properties(value: Any, annotation: Any) -> Any:
    """Return JSON with the properties of structs spelled as the structs have them, on all levels.

    Where one is there in two spellings, the exact one counts, else the last. What is no property of a struct, such as
    the name of a parameter in `ParameterObject`, stays as it is.
    """
    struct = _struct_in(annotation)
    match value:
        case list() if struct:  # one level: no struct of ours holds lists of lists, which strangers send to any depth
            return [_spelled_struct(one, _fields(struct)) if isinstance(one, dict) else one for one in value]
        case dict() if struct:
            return _spelled_struct(value, _fields(struct))
        case _:
            return value


def _spelled_struct(value: Mapping[str, Any], fields: Mapping[str, msgspec.structs.FieldInfo]) -> dict[str, Any]:
    spelled: dict[str, Any] = {}
    for sent, inner in value.items():
        field = fields.get(sent.lower())
        name = field.encode_name if field else sent
        if name == sent or name not in value:
            spelled[name] = spelled_properties(inner, field.type) if field else inner
    return spelled


@cache
def _fields(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name.lower(): field for field in msgspec.structs.fields(struct)}


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """Find the struct in a type such as `list[Struct] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next((found for part in get_args(annotation) if (found := _struct_in(part))), None)
