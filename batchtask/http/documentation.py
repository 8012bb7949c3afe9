"""The OpenAPI document: how callers prove who they are, what each operation is called, and how each may refuse."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from litestar import Response, Router
from litestar.enums import HttpMethod
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Server
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import Method

from batchtask.http.authentication import PUBLIC
from batchtask.http.negotiation import require_json_sent
from batchtask.http.problem_handlers import PROBLEM_JSON, ProblemDetails
from batchtask.http.xsrf import HEADER

_DESCRIPTION = """\
The batch task server of a CRM. `/api/v1` answers as SuperOffice's documented batch API does: PascalCase, spelling
included. `/api/v2` is the modern one: snake case, times in UTC. An error is a problem of RFC 9457 whose `detail` says
in a sentence what to do. A user sees their own tasks, an administrator all.
"""
_REFUSALS = {
    HTTPStatus.BAD_REQUEST: "What was sent cannot be read or does not fit; the sentence says what was expected.",
    HTTPStatus.UNAUTHORIZED: "Nobody proved who they are.",
    HTTPStatus.FORBIDDEN: "The caller may not do this.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or none that the caller may see.",
    HTTPStatus.NOT_ACCEPTABLE: "`Accept` names no type that this is answered in.",
    HTTPStatus.CONFLICT: "It does not fit to how things are by now.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than any that is taken.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is in a format that is not read: send JSON.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The `Idempotency-Key` was used for something else.",
    HTTPStatus.TOO_MANY_REQUESTS: "There were too many failed logins; `Retry-After` says when to try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The broker or the database is away; `Retry-After` says when to try again.",
}
_CHANGES = {HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE}
#: Answered by none that only reads.
_NEVER_IN_CONFLICT = {
    HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY,
}  # fmt: skip


def openapi_config() -> OpenAPIConfig:
    """Make the configuration of the document at `/api/openapi.json`, which everybody may read."""
    return OpenAPIConfig(
        title="batchtask",
        version=version("batchtask"),
        description=_DESCRIPTION,
        operation_id_creator=_operation_id,
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router(
            path="/api",
            route_handlers=[],
            opt={PUBLIC: True},
            include_in_schema=False,
            after_request=_no_page_of_its_own,
        ),
        servers=[Server(url="..", description="This server, as seen from the address of this document.")],
        components=Components(security_schemes=_SCHEMES),
        security=[{"basic": []}, {"bearer": []}, {"session": [], "xsrf": []}],
    )


def _no_page_of_its_own(response: Response[Any]) -> Response[Any]:
    # The framework adds an HTML page for whatever else lies below the path of the document.
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise NotFoundException
    return response


class DocumentHandlers(ReceiveRoutePlugin):
    """Documents every operation by its handler's first sentence, and how it may refuse, so that no handler has to."""

    def receive_route(self, route: BaseRoute) -> None:
        """Add what the handlers of a route do not document themselves."""
        if not isinstance(route, HTTPRoute):
            return
        for handler in route.route_handlers:
            if handler.resolve_include_in_schema():
                handler.description = handler.description or _first_sentence(handler)
                handler.responses = {**_refusals(handler), **(handler.responses or {})}


_SCHEMES: dict[str, Any] = {
    "basic": SecurityScheme(type="http", scheme="basic", description="A CRM user's name and password."),
    "bearer": SecurityScheme(
        type="http", scheme="bearer", description="A service token, or a token (JWT) of the identity provider."
    ),
    "session": SecurityScheme(
        type="apiKey",
        name="batchtask_session",
        security_scheme_in="cookie",
        description="The session of a browser that logged in at `/login`; over https its name has `__Host-` before.",
    ),
    "xsrf": SecurityScheme(
        type="apiKey",
        name=HEADER,
        security_scheme_in="header",
        description="Beside the session, for whatever changes something: the value of the cookie `XSRF-TOKEN`.",
    ),
}


def _first_sentence(handler: HTTPRouteHandler) -> str:
    function = getattr(handler.fn, "func", handler.fn)  # a synchronous one is wrapped by what runs it in a thread
    return " ".join((function.__doc__ or "").partition("\n\n")[0].split())


def _refusals(handler: HTTPRouteHandler) -> dict[int, ResponseSpec]:
    left_out = set() if handler.http_methods & _CHANGES else _NEVER_IN_CONFLICT
    # A synchronous guard is wrapped by what makes it awaitable.
    if all(getattr(guard, "func", guard) is not require_json_sent for guard in handler.resolve_guards()):
        left_out = {*left_out, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
    return {
        status: ResponseSpec(
            data_container=ProblemDetails, description=text, media_type=PROBLEM_JSON, generate_examples=False
        )
        for status, text in _REFUSALS.items()
        if status not in left_out
    }


def _operation_id(_: HTTPRouteHandler, method: HttpMethod | Method, components: list[Any]) -> str:
    """Name an operation by the version and the names in its path, as `v1_Agents_Batch_GetBatchTaskInfo`."""
    names = [part for part in components if isinstance(part, str)][1:]
    by_key = ["by", *(part.name for part in components if not isinstance(part, str))]
    return "_".join([*names, *(by_key if len(by_key) > 1 else []), HttpMethod(method).value.lower()])
