"""Bearer tokens: our own service tokens, and those (JWT) that an identity provider signed."""

from __future__ import annotations

from typing import Any

import jwt
from sqlalchemy import Engine

from batchtask.database import database_errors
from batchtask.http.key_source import KeySource
from batchtask.http.login_limit import LoginLimit
from batchtask.http.problems import NotAuthenticated
from batchtask.http.provider_keys import ProviderKey
from batchtask.http.service_tokens import find_by_token
from batchtask.http.web_users import WebUser
from batchtask.settings import Settings

#: How far the provider's clock may be from ours.
LEEWAY_SECONDS = 30
_CLAIMS = ["exp", "iss", "aud"]


class BadToken(NotAuthenticated):
    """A bearer token that is not taken."""


def find_service_user(engine: Engine, token: str) -> WebUser | None:
    """Find as whom a service token acts; None when it is not valid (any more).

    Raises:
        StoreUnavailable: The database does not answer.
    """
    with database_errors(), engine.begin() as connection:
        return find_by_token(connection, token)


class ProviderTokens:
    """Reads tokens of the identity provider.

    Args:
        settings: Uses those that begin with `jwt_`.
        limit: Told of forged tokens.
    """

    def __init__(self, settings: Settings, limit: LoginLimit) -> None:
        self._issuer, self._audience = settings.jwt_issuer, settings.jwt_audience
        self._name_claim = settings.jwt_name_claim
        self._source = KeySource(settings)
        self._limit = limit

    async def name_in(self, token: str, address: str) -> str:
        """Check a token and return the login name that it holds.

        Raises:
            BadToken: It is not signed by the provider, or over, or not for us, or names nobody.
            Unavailable: The provider's keys cannot be had.
            TooManyRequests: It is forged, and there were too many failures from this address. A good one is taken
                all the same: many users may share an address with whoever forges.
        """
        if not self._issuer:
            raise BadToken("no identity provider is set up here: send a service token, which begins with bt_")
        key_id, algorithm = _header(token)
        keys = await self._source.keys_for(key_id, algorithm)
        claims = self._claims(token, keys, algorithm, address)
        name = claims.get(self._name_claim)
        if not isinstance(name, str) or not name:
            raise BadToken("the token does not hold the user's name: ask for the scope of the provider that adds it")
        return name

    def _claims(self, token: str, keys: list[ProviderKey], algorithm: str, address: str) -> dict[str, Any]:
        for key in keys:
            try:
                return jwt.decode(
                    token,
                    key.public_key,
                    algorithms=[algorithm],
                    audience=self._audience,
                    issuer=self._issuer,
                    leeway=LEEWAY_SECONDS,
                    options={"require": _CLAIMS},
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError as error:
                raise BadToken(_reason(error)) from error
        self._limit.guess(address)
        raise BadToken("the token is not signed with a key of the identity provider: log in there anew")


def _header(token: str) -> tuple[str | None, str]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError) as error:  # a stranger's JSON may be nested a thousand times
        raise BadToken("the token can be read neither as a service token nor as a JWT: log in anew") from error
    return header.get("kid"), str(header.get("alg"))


def _reason(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired: get a new one from the identity provider"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet: check the clocks of this server and of the identity provider"
        case jwt.InvalidAudienceError():
            return "the token is meant for somebody else: ask the identity provider for one with our audience"
        case jwt.InvalidIssuerError():
            return "the token is of another issuer than the one that is trusted here: log in there"
        case jwt.MissingRequiredClaimError():
            return f"the token lacks the claim `{error.claim}`: the identity provider has to add it"
        case _:
            return "the token cannot be read as one of the identity provider: log in there anew"
