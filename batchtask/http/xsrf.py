"""The token that shows that a request comes from one of our pages, and not from one that only has the user's cookie.

It is the session's id under a key of ours, so that nothing has to be kept, and nobody's token fits another session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from batchtask.http.problems import Forbidden
from batchtask.http.sessions import Session, derived_keys
from batchtask.settings import Settings

HEADER = "X-XSRF-TOKEN"
#: Name of the hidden input of a form that brings the token instead of the header.
FIELD = "xsrf_token"


class XsrfTokens:
    """Makes and compares tokens.

    Args:
        settings: Uses `secret_keys`.
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = derived_keys(settings, "xsrf tokens")

    def token(self, session: Session) -> str:
        """Make the token of a session; always the same."""
        return _token(self._keys[0], session)

    def require(self, session: Session, given: str) -> None:
        """Hold that the token is the one of the session.

        Raises:
            Forbidden: It is not, or there is none.
        """
        octets = given.encode("utf-8", "surrogatepass")
        if not given:
            raise Forbidden(
                f"a request with the session's cookie that changes something needs the header {HEADER}: "
                "send the value of the cookie XSRF-TOKEN"
            )
        if not any(hmac.compare_digest(_token(key, session).encode(), octets) for key in self._keys):
            raise Forbidden(f"the value of {HEADER} is not that of this session: load the page anew and try again")


def _token(key: bytes, session: Session) -> str:
    digest = hmac.digest(key, session.session_id.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
