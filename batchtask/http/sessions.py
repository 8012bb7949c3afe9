"""Sessions of browsers: a signed cookie that says who logged in, until when, and by which password.

Signed, not kept: any web process that has the keys reads it. What ends one early, a logout or another password, the
database says; see `find_by_session`.
"""

from __future__ import annotations

import logging
import secrets
import time
from datetime import UTC, datetime, timedelta

import jwt
import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.database import database_errors
from batchtask.http.web_users import WebUser, find_by_id
from batchtask.settings import Settings
from batchtask.tables_web_users import ended_session

logger = logging.getLogger(__name__)

_ALGORITHM = "HS256"
_MEANT_FOR = "batchtask-session"  #: `aud`: nothing else that these keys may ever sign is taken for a session
_KEY_BYTES = 32
_LONGEST = 1000  #: characters of the cookie; ours has some 250


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What the cookie says."""

    session_id: str
    associate_id: int
    password_stamp: int  #: when the password was set that it was opened with, in µs since 1970
    ends_at: int  #: in seconds since 1970


def derived_keys(settings: Settings, purpose: str) -> list[bytes]:
    """Derive a key for one purpose from each of `secret_keys`; the first is for new signatures, all verify.

    Returns:
        One random key when none is set: its signatures hold in this process alone, and as long as it lives.
    """
    given = [key.strip() for key in settings.secret_keys.split(",") if key.strip()]
    sources = [key.encode() for key in given] or [secrets.token_bytes(_KEY_BYTES)]
    return [_hkdf(source, purpose) for source in sources]


class SessionSigner:
    """Writes sessions as texts and reads them again.

    Args:
        settings: Uses `secret_keys` and `session_hours`.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.secret_keys.strip(" ,"):
            logger.warning(
                "sessions end when this process ends, and hold in no other: BATCHTASK_SECRET_KEYS is not set; "
                "`batchtask secret new-key` makes a key"
            )
        self._keys = derived_keys(settings, "sessions")
        self.seconds = round(settings.session_hours * 3600)

    def open(self, user: WebUser) -> Session:
        """Begin a session of a user who proved to have their password."""
        return Session(
            session_id=secrets.token_urlsafe(16),
            associate_id=user.associate_id,
            password_stamp=password_stamp(user),
            ends_at=round(time.time()) + self.seconds,
        )

    def sign(self, session: Session) -> str:
        claims = {
            "aud": _MEANT_FOR,
            "jti": session.session_id,
            "sub": str(session.associate_id),
            "pwd": session.password_stamp,
            "exp": session.ends_at,
        }
        return jwt.encode(claims, self._keys[0], algorithm=_ALGORITHM)

    def read(self, text: str) -> Session | None:
        """Read what `sign` wrote; None when it is over, or signed with another key, or changed."""
        if len(text) > _LONGEST:
            return None
        for key in self._keys:
            try:
                claims = jwt.decode(text, key, algorithms=[_ALGORITHM], audience=_MEANT_FOR)
            except (jwt.PyJWTError, RecursionError):  # a stranger's JSON may be nested a thousand times
                continue
            return Session(
                session_id=claims["jti"],
                associate_id=int(claims["sub"]),
                password_stamp=claims["pwd"],
                ends_at=claims["exp"],
            )
        return None


def password_stamp(user: WebUser) -> int:
    """Name the password that a user has by now; 0 = none."""
    at = user.password_changed_at
    return 0 if at is None else (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def find_by_session(engine: Engine, session: Session) -> WebUser | None:
    """Find whose session it is; None when it was ended, or the password is another by now, or the user is retired.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    ended = select(ended_session.c.session_id).where(ended_session.c.session_id == session.session_id)
    with database_errors(), engine.connect() as connection:
        user = find_by_id(connection, session.associate_id)
        if user is None or password_stamp(user) != session.password_stamp or connection.execute(ended).first():
            return None
        return user


def end_session(engine: Engine, session: Session) -> None:
    """End a session before its time; ending it again changes nothing. Rows of sessions that are over anyway go.

    Raises:
        StoreUnavailable: The database does not answer; the session goes on.
    """
    row = {"session_id": session.session_id, "expires_at": datetime.fromtimestamp(session.ends_at, UTC)}
    with database_errors(), engine.begin() as connection:
        connection.execute(insert(ended_session).values(row).on_conflict_do_nothing())
        connection.execute(delete(ended_session).where(ended_session.c.expires_at < func.now()))


def _hkdf(source: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"batchtask {purpose}".encode()).derive(source)
