"""Logging in and out with a browser: what the form on the login page sends. The page itself lies with the others."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.response import Redirect

from batchtask.errors import StoreUnavailable
from batchtask.http.authentication import PUBLIC, Authentication
from batchtask.http.callers import Caller
from batchtask.http.cookies import cookies_of_login, cookies_of_logout
from batchtask.http.forms import read_form
from batchtask.http.mounting import root_of
from batchtask.http.negotiation import ANY_MEDIA
from batchtask.http.origins import address_of, require_own_origin
from batchtask.http.problems import NotFound, TooManyRequests
from batchtask.http.sessions import end_session

logger = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]

_LARGEST_FORM_BYTES = 16_384
_SEE_OTHER: Literal[303] = 303
_NOT_KEPT = {"Cache-Control": "no-store"}


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """What a page has to know of the session that its cookie belongs to."""

    associate_id: int
    name: str
    administrator: bool
    xsrf_token: str  #: for the header X-XSRF-TOKEN of whatever changes something
    ends_at: int  #: in seconds since 1970


def login_handlers(authentication: Authentication) -> Router:
    """Make the handlers of `/login`, `/logout` and `/session`."""
    return Router(
        path="/",
        route_handlers=[log_in, log_out, show_session],
        dependencies={"authentication": Provide(lambda: authentication, sync_to_thread=False, use_cache=True)},
        include_in_schema=False,
    )


@post(
    "/login", status_code=_SEE_OTHER, opt={PUBLIC: True, ANY_MEDIA: True}, request_max_body_size=_LARGEST_FORM_BYTES
)
async def log_in(request: AnyRequest, authentication: NamedDependency[Authentication]) -> Response[Any]:
    """Begin a session and go on to the page that `next` names; back to the form otherwise, which says why.

    `next` stands in the address, which the form is posted to as well: so the browser keeps it, and no script has to.
    """
    require_own_origin(request, authentication.origins)  # or a stranger's page could log users in as somebody else
    form = await read_form(request)
    target = safe_target(request.query_params.get("next", ""), root_of(request) + "/")
    try:
        user = await authentication.logins.find_user(
            form.get("name", ""), form.get("password", ""), address_of(request)
        )
    except TooManyRequests as refusal:
        return _back(request, target, limited=refusal.headers["Retry-After"])
    except StoreUnavailable as error:
        # Whoever fills in a form reads the form again, and no JSON.
        logger.warning("login cannot be checked", extra={"reason": str(error)})
        return _back(request, target, away="1")
    if user is None:
        return _back(request, target, failed="1")
    session = authentication.signer.open(user)
    token = authentication.xsrf.token(session)
    cookies = cookies_of_login(request, authentication.signer.sign(session), token, authentication.signer.seconds)
    return Redirect(target, status_code=_SEE_OTHER, cookies=cookies, headers=_NOT_KEPT)


@post(
    "/logout", status_code=_SEE_OTHER, opt={PUBLIC: True, ANY_MEDIA: True}, request_max_body_size=_LARGEST_FORM_BYTES
)
async def log_out(request: AnyRequest, authentication: NamedDependency[Authentication]) -> Response[Any]:
    """End the session for good, in all processes, and go to the form; who has no session is sent there as well."""
    session = authentication.session_of(request)
    if session:
        await authentication.require_own_page(request, session)
        await asyncio.to_thread(end_session, authentication.engine, session)
        authentication.forget(session)
    return Redirect(root_of(request) + "/login", status_code=_SEE_OTHER, cookies=cookies_of_logout(request))


@get("/session")
async def show_session(
    request: AnyRequest, authentication: NamedDependency[Authentication], caller: NamedDependency[Caller]
) -> Response[SessionView]:
    """Tell a page who logged in, and the XSRF token, which pages of other origins cannot read from the cookie.

    Raises:
        NotFound: The caller brings another credential than a session.
    """
    session = authentication.session_of(request)
    if session is None or "authorization" in request.headers:
        raise NotFound("there is no session: this request brings another credential than the cookie")
    view = SessionView(
        associate_id=caller.associate_id,
        name=caller.name,
        administrator=caller.administrator,
        xsrf_token=authentication.xsrf.token(session),
        ends_at=session.ends_at,
    )
    return Response(view, headers=_NOT_KEPT)


def safe_target(wanted: str, home: str) -> str:
    """Hold that a login leads to a page of ours: a path on this host, or else home."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return home
    # Browsers read "/\\host" as "//host", and drop tabs and line breaks before they look.
    is_path = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if is_path and not parts.scheme and not parts.netloc else home


def _back(request: AnyRequest, target: str, **said: str) -> Response[Any]:
    query = urlencode({**said, "next": target})
    return Redirect(f"{root_of(request)}/login?{query}", status_code=_SEE_OTHER, headers=_NOT_KEPT)
