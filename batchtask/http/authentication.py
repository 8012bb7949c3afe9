"""Who makes a request: the first of the caller's own way, the header `Authorization`, and the session's cookie.

Where each is checked: credentials.py reads the header; password_logins.py, bearer.py and sessions.py check what it
holds; web_users.py finds the user. docs/web-access.md tells administrators and web developers.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from sqlalchemy import Engine

from batchtask.crm7.administrators import is_administrator
from batchtask.database import database_errors
from batchtask.http.bearer import BadToken, ProviderTokens, find_service_user
from batchtask.http.callers import Caller
from batchtask.http.cookies import session_cookie
from batchtask.http.credentials import Basic, Bearer, read_authorization
from batchtask.http.forms import read_form
from batchtask.http.login_limit import LoginLimit
from batchtask.http.origins import SAFE_METHODS, address_of, require_own_origin
from batchtask.http.password_logins import PasswordLogins
from batchtask.http.problems import NotAuthenticated
from batchtask.http.service_tokens import PREFIX
from batchtask.http.sessions import Session, SessionSigner, find_by_session
from batchtask.http.short_cache import ShortCache
from batchtask.http.web_users import WebUser, find_by_name
from batchtask.http.xsrf import FIELD, HEADER, XsrfTokens
from batchtask.settings import Settings

Connection = ASGIConnection[Any, Any, Any, Any]
#: A way of the application around us to know its users; None = this one does not say, ask further.
OwnWay = Callable[[Connection], Awaitable[Caller | None]]

_LOG_IN = (
    "log in at /login, or call with `Authorization: Basic …` (name and password) or `Authorization: Bearer …` (token)"
)
_SESSION_OVER = "the session is over, for its time or a logout or another password: log in again at /login"

#: `opt` of a handler that asks nobody who they are.
PUBLIC = "public"
#: For so long a credential that was taken, or refused, is not looked at again: so late may a revocation take effect.
CACHE_SECONDS = 30.0


class Authentication:
    """Finds out who calls. For one event loop, which neither the database nor a provider holds up.

    Args:
        settings: Uses those of the web application, `secret_keys` and `jwt_…`.
        engine: The database.
        authenticate: Asked first, for callers whom the application around us knows already. It refuses everybody
            else by raising `NotAuthenticated`, or returns None to have them asked for what follows here.
    """

    def __init__(self, settings: Settings, engine: Engine, *, authenticate: OwnWay | None = None) -> None:
        self.signer = SessionSigner(settings)
        self.xsrf = XsrfTokens(settings)
        self.origins = settings.web_origins.split()
        self.limit = LoginLimit()
        self.logins = PasswordLogins(engine, self.limit)
        self.engine = engine
        self._own_way = authenticate
        self._basic = settings.web_basic
        self._provider = ProviderTokens(settings, self.limit)
        self._callers: ShortCache[Caller | None] = ShortCache(CACHE_SECONDS)
        self._pepper = secrets.token_bytes(32)

    async def caller_of(self, connection: Connection) -> Caller:
        """Find out who makes a request.

        Raises:
            NotAuthenticated: Nobody who may come in; the header `WWW-Authenticate` says how to.
            Forbidden: A page of a stranger sent the user's credentials, or the XSRF token is missing.
            BadRequest: The header `Authorization` cannot be one.
            TooManyRequests: There were too many failures.
            Unavailable, StoreUnavailable: Who it is cannot be found out at the moment.
        """
        try:
            return await self._caller_of(connection)
        except NotAuthenticated as refusal:
            refusal.headers.setdefault("WWW-Authenticate", self._challenge(connection, refusal))
            raise

    def session_of(self, connection: Connection) -> Session | None:
        """Read the session of a request's cookie; None = no good one. Whether it still goes on, `caller_of` tells."""
        cookie = session_cookie(connection)
        return self.signer.read(cookie) if cookie else None

    async def require_own_page(self, connection: Connection, session: Session) -> None:
        """Hold that a request that changes something comes from a page that knows the session's XSRF token.

        Raises:
            Forbidden: It does not.
        """
        require_own_origin(connection, self.origins)
        self.xsrf.require(session, await _xsrf_token(connection))

    def forget(self, session: Session) -> None:
        """Look at a session anew when it comes next."""
        self._callers.forget(self._key("session", session.session_id))

    async def _caller_of(self, connection: Connection) -> Caller:
        if self._own_way and (caller := await self._own_way(connection)):
            require_own_origin(connection, self.origins)
            return caller
        match read_authorization(connection.headers.getall("authorization", [])):
            case Basic(name=name, password=password):
                require_own_origin(connection, self.origins)  # browsers keep names and passwords, and add them
                return await self._by_password(name, password, address_of(connection))
            case Bearer(token=token) if token.startswith(PREFIX):
                return await self._by_service_token(token, address_of(connection))
            case Bearer(token=token):
                return await self._by_provider_token(token, address_of(connection))
            case None:
                return await self._by_session(connection)

    async def _by_password(self, name: str, password: str, address: str) -> Caller:
        if not self._basic:
            raise NotAuthenticated(
                "names and passwords are not taken here: send a token as `Authorization: Bearer …`"
            )

        async def find() -> Caller | None:
            return await self._caller(await self.logins.find_user(name, password, address))

        caller = await self._callers.get(self._key("basic", name, password), find)
        if caller is None:
            raise NotAuthenticated("the name or the password is wrong, or the user may not log in")
        return caller

    async def _by_service_token(self, token: str, address: str) -> Caller:
        async def find() -> Caller | None:
            user = await asyncio.to_thread(find_service_user, self.engine, token)
            if user is None:
                self.limit.guess(address)
            return await self._caller(user)

        caller = await self._callers.get(self._key("token", token), find)
        if caller is None:
            raise BadToken(
                "the service token is not known, has expired, or was revoked: ask an administrator for another"
            )
        return caller

    async def _by_provider_token(self, token: str, address: str) -> Caller:
        name = await self._provider.name_in(token, address)

        async def find() -> Caller | None:
            return await self._caller(await asyncio.to_thread(self._find_by_name, name))

        caller = await self._callers.get(self._key("provider", name), find)
        if caller is None:
            raise BadToken("the token is good, but the CRM has no active user of that name: ask an administrator")
        return caller

    async def _by_session(self, connection: Connection) -> Caller:
        session = self.session_of(connection)
        if session is None:
            raise NotAuthenticated(_LOG_IN)

        async def find() -> Caller | None:
            return await self._caller(await asyncio.to_thread(find_by_session, self.engine, session))

        caller = await self._callers.get(self._key("session", session.session_id), find)
        if caller is None:
            raise NotAuthenticated(_SESSION_OVER)
        if connection.scope.get("method") not in SAFE_METHODS:
            await self.require_own_page(connection, session)
        return caller

    async def _caller(self, user: WebUser | None) -> Caller | None:
        return await asyncio.to_thread(self._with_rights, user) if user else None

    def _with_rights(self, user: WebUser) -> Caller:
        with database_errors(), self.engine.connect() as connection:
            administrator = is_administrator(connection, user.associate_id)
        return Caller(associate_id=user.associate_id, name=user.name, administrator=administrator)

    def _find_by_name(self, name: str) -> WebUser | None:
        with database_errors(), self.engine.connect() as connection:
            return find_by_name(connection, name)

    def _key(self, *parts: str) -> bytes:
        # Under a key of this process: what lies in memory is no password, and tells none.
        text = "\0".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._pepper).digest()

    def _challenge(self, connection: Connection, refusal: NotAuthenticated) -> str:
        bearer = 'Bearer realm="batchtask"' + (', error="invalid_token"' if isinstance(refusal, BadToken) else "")
        # A browser would put its own window for name and password before our pages, and keep what is typed there.
        browser = connection.headers.get("user-agent", "").startswith("Mozilla/")
        return bearer if browser or not self._basic else f'{bearer}, Basic realm="batchtask", charset="UTF-8"'


async def _xsrf_token(connection: Connection) -> str:
    """Read the token from the header, or from the hidden input of a form."""
    if HEADER in connection.headers or not isinstance(connection, Request):
        return connection.headers.get(HEADER, "")
    return (await read_form(connection)).get(FIELD, "")
