"""Where the keys of an identity provider come from: its discovery document, a JWKS at a URL, or a file; kept a while.

https://openid.net/specs/openid-connect-discovery-1_0.html
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPErrorProcessor, HTTPHandler, HTTPRedirectHandler, HTTPSHandler, OpenerDirector

import msgspec

from batchtask.http.problems import Unavailable
from batchtask.http.provider_keys import ProviderKey, fitting, read_keys
from batchtask.settings import Settings

logger = logging.getLogger(__name__)

FETCH_TIMEOUT_SECONDS = 5.0
#: Keys are asked for again after so long, so that one that the provider withdrew does not live on.
KEEP_SECONDS = 3600.0
#: A key id that nobody knows has them asked for at once, but not more often than this.
UNKNOWN_SECONDS = 60.0
#: A provider that did not answer is left alone for so long.
FAILED_SECONDS = 10.0
_LARGEST_BYTES = 1 << 20


class KeySource:
    """Gives the keys that may have signed a token. For one event loop, which no fetch holds up.

    Args:
        settings: Uses `jwt_issuer` and `jwt_keys`.
        clock: Tells seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer, self._place, self._clock = settings.jwt_issuer, settings.jwt_keys, clock
        self._keys: list[ProviderKey] = []
        self._read_at = self._failed_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def keys_for(self, key_id: str | None, algorithm: str) -> list[ProviderKey]:
        """Find the keys that may have signed a token with this header; none when the provider has no such key.

        Raises:
            Unavailable: The provider does not answer, and no key that is known fits.
        """
        found = fitting(self._keys, key_id, algorithm)
        if found and self._clock() < self._read_at + KEEP_SECONDS:
            return found
        async with self._fetching:  # whoever waited here finds what the one before fetched
            if self._clock() >= self._next_at(key_id, algorithm):
                await self._fetch()
        found = fitting(self._keys, key_id, algorithm)
        if not found and self._failed_at > self._read_at:
            raise Unavailable(
                "the identity provider does not answer, and so its token cannot be checked: try again in a moment",
                {"Retry-After": str(round(FAILED_SECONDS))},
            )
        return found

    def _next_at(self, key_id: str | None, algorithm: str) -> float:
        known = fitting(self._keys, key_id, algorithm)
        return max(self._read_at + (KEEP_SECONDS if known else UNKNOWN_SECONDS), self._failed_at + FAILED_SECONDS)

    async def _fetch(self) -> None:
        try:
            self._keys = await asyncio.to_thread(_load, self._issuer, self._place)
            self._read_at = self._clock()
        except (OSError, ValueError) as error:
            self._failed_at = self._clock()
            logger.warning("keys of the identity provider cannot be read", extra={"reason": str(error)})


def _load(issuer: str, place: str) -> list[ProviderKey]:
    """Read the keys.

    Raises:
        OSError, ValueError: They cannot be had, or are none.
    """
    if not place:
        place = _discover(issuer)
    if place.startswith(("https://", "http://")):
        return read_keys(_get(place))
    return read_keys(Path(place).read_bytes())


def _discover(issuer: str) -> str:
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    document: dict[str, Any] = msgspec.json.decode(_get(url), type=dict[str, Any])
    if document.get("issuer") != issuer:
        raise ValueError(f"{url} is of issuer {document.get('issuer')!r}; set BATCHTASK_JWT_ISSUER to that spelling")
    place = document.get("jwks_uri")
    # Keys that come over a worse way than the document are as good as that way.
    wanted = ("https://",) if issuer.startswith("https://") else ("https://", "http://")
    if not isinstance(place, str) or not place.startswith(wanted):
        raise ValueError(f"{url} names no usable `jwks_uri`")
    return place


def _get(url: str) -> bytes:
    opener = OpenerDirector()  # not the default one, which reads file:// and ftp:// as well
    for handler in (HTTPHandler(), HTTPSHandler(), HTTPErrorProcessor(), HTTPRedirectHandler()):
        opener.add_handler(handler)
    with opener.open(url, timeout=FETCH_TIMEOUT_SECONDS) as response:
        octets: bytes = response.read(_LARGEST_BYTES + 1)
    if len(octets) > _LARGEST_BYTES:
        raise URLError(f"{url} answers with more than {_LARGEST_BYTES} bytes")
    return octets
