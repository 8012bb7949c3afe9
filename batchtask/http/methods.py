"""HEAD wherever there is GET, which the framework leaves to each handler."""

from __future__ import annotations

from copy import copy

from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

#: `opt` of a handler whose answer does not end, so that it has no head of its own.
ENDLESS = "endless"


class Heads(ReceiveRoutePlugin):
    """Answers HEAD as GET; servers leave the body out."""

    def receive_route(self, route: BaseRoute) -> None:
        """Add HEAD to a route."""
        if not isinstance(route, HTTPRoute) or "GET" not in route.route_handler_map:
            return
        handler, reads = route.route_handler_map["GET"]
        if not handler.opt.get(ENDLESS):
            head = copy(handler)
            head._resolved_include_in_schema = False  # what it does stands in the document at GET
            route.route_handler_map.setdefault("HEAD", (head, reads))
            route.methods.add("HEAD")
