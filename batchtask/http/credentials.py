"""Reading the header `Authorization`: which credential a request brings. Pure; others find out whether it is good."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from batchtask.http.problems import BadRequest, NotAuthenticated

#: A token of a provider that lists a user's many groups has some kilobytes.
LONGEST_HEADER = 16_384


class Basic(msgspec.Struct, frozen=True):
    """A login name and a password, both as typed."""

    name: str
    password: str


class Bearer(msgspec.Struct, frozen=True):
    """A token: ours or an identity provider's."""

    token: str


def read_authorization(values: Sequence[str]) -> Basic | Bearer | None:
    """Read the credential that the header's values hold; None = there is no such header.

    Raises:
        BadRequest: There are two, or it is too long to be one.
        NotAuthenticated: Its scheme is none of ours, or what follows cannot be read.
    """
    if not values:
        return None
    if len(values) > 1:
        raise BadRequest("there are two Authorization headers: send one")
    if len(values[0]) > LONGEST_HEADER:
        raise BadRequest(f"the Authorization header has more than {LONGEST_HEADER} bytes: no credential of ours has")
    scheme, _, rest = values[0].strip().partition(" ")
    match scheme.lower():
        case "basic":
            return _basic(rest.strip())
        case "bearer":
            return Bearer(rest.strip())
        case "soticket":
            raise NotAuthenticated(
                "SoTickets are not known here: send a service token or a token of the identity provider as "
                "`Authorization: Bearer …`, or a user's name and password as `Authorization: Basic …`"
            )
        case _:
            raise NotAuthenticated("the scheme of the Authorization header is not known here: send Basic or Bearer")


def _basic(text: str) -> Basic:
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotAuthenticated("what follows `Basic` is no base64: encode `name:password` in UTF-8") from None
    name, colon, password = _decoded(octets).partition(":")
    if not colon:
        raise NotAuthenticated("there is no colon in what follows `Basic`: encode `name:password`")
    return Basic(name, password)


def _decoded(octets: bytes) -> str:
    # RFC 7617 lets a server ask for UTF-8, as ours does; clients that are older than that send ISO 8859-1.
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
