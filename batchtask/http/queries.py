"""What may stand in the query of a request: of the modern API, nothing that is not known."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from batchtask.http.problems import BadRequest

#: The original ignores what it does not know in a query, and so does what is compatible with it.
STRICT = "/api/v2"
_KNOWN = "known_in_query"


class KnownQueries(ReceiveRoutePlugin):
    """Notes at each handler of the modern API what it reads from the query."""

    def receive_route(self, route: BaseRoute) -> None:
        """Note the names of a route's handlers, those of what they depend on included."""
        if isinstance(route, HTTPRoute) and route.path_format.startswith(f"{STRICT}/"):
            for method, (handler, reads) in route.route_handler_map.items():
                if method != "OPTIONS":
                    handler.opt[_KNOWN] = frozenset(one.field_alias for one in reads.expected_query_params)


def require_known_query(connection: ASGIConnection[BaseRouteHandler, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse a name in the query that nothing reads: a filter that is misspelt would let all through. A guard.

    Raises:
        BadRequest: Names it, and those that are known.
    """
    known = connection.route_handler.opt.get(_KNOWN)
    if known is None:
        return
    unknown = sorted(set(connection.query_params) - known)
    if unknown:
        names = ", ".join(sorted(known)) or "nothing"
        raise BadRequest(f"query {unknown[0][:100]!r} is not known here; known: {names}")
