"""Tokens of programs that call the web application: made once, shown once, kept as a digest. Synchronous."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine, func, insert, or_, select, update

from batchtask.crm7.people import associate
from batchtask.database import database_errors
from batchtask.errors import TokenNotFound
from batchtask.http.web_users import WebUser, find_by_id, require_user
from batchtask.tables_web_users import service_token

#: Tells a token of ours from others, for us and for scanners of leaked secrets.
PREFIX = "bt_"
#: 256 bits: nobody guesses one, and so a fast digest is as good as a slow one.
_RANDOM_BYTES = 32
#: When a token was last used is written down at most so often.
_USED_SECONDS = 3600


class ServiceToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token as an administrator sees it; the token itself nobody sees twice."""

    id: int
    name: str  #: login name of the user as whom it acts
    note: str
    created_at: datetime
    expires_at: datetime | None  #: None = never
    revoked_at: datetime | None
    last_used_at: datetime | None  #: to the hour


def issue_token(engine: Engine, name: str, note: str, days: int | None = None) -> tuple[int, str]:
    """Make a token that acts as a user; every call makes another one.

    Args:
        engine: The database.
        name: The user's login name.
        note: What it is for, as administrators will read it.
        days: It expires after so many; None = never.

    Returns:
        Its id, by which it is revoked, and the token, which is kept nowhere.

    Raises:
        UserNotFound: There is no such user, or they are retired.
        StoreUnavailable: The database does not answer.
    """
    token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    expires_at = None if days is None else func.now() + timedelta(days=days)
    with database_errors(), engine.begin() as connection:
        user = require_user(connection, name)
        row = {"digest": _digest(token), "associate_id": user.associate_id, "note": note, "expires_at": expires_at}
        token_id: int = connection.execute(
            insert(service_token).values(row).returning(service_token.c.id)
        ).scalar_one()
    return token_id, token


def all_tokens(engine: Engine) -> list[ServiceToken]:
    """List all tokens by id, the expired and the revoked too.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    table = service_token.c
    columns = (table.id, table.note, table.created_at, table.expires_at, table.revoked_at, table.last_used_at)
    query = (
        select(*columns, func.coalesce(associate.c.name, "").label("name"))
        .outerjoin(associate, associate.c.associate_id == table.associate_id)
        .order_by(table.id)
    )
    with database_errors(), engine.connect() as connection:
        return [ServiceToken(**row) for row in connection.execute(query).mappings()]


def revoke_token(engine: Engine, token_id: int) -> None:
    """End a token for good; one that was revoked before keeps the time of that.

    Raises:
        TokenNotFound: There is none of this id.
        StoreUnavailable: The database does not answer.
    """
    revoked = (
        update(service_token)
        .where(service_token.c.id == token_id)
        .values(revoked_at=func.coalesce(service_token.c.revoked_at, func.now()))
    )
    with database_errors(), engine.begin() as connection:
        if not connection.execute(revoked).rowcount:
            raise TokenNotFound(token_id)


def find_by_token(connection: Connection, token: str) -> WebUser | None:
    """Find as whom a token acts, and write down, to the hour, that it was used.

    Returns:
        None when no such token is valid by now, or its user is retired.
    """
    table = service_token.c
    valid = (table.revoked_at.is_(None), or_(table.expires_at.is_(None), table.expires_at > func.now()))
    query = select(table.id, table.associate_id).where(table.digest == _digest(token), *valid)
    row = connection.execute(query).first()
    user = find_by_id(connection, row.associate_id) if row else None
    if row and user:
        stale = or_(table.last_used_at.is_(None), table.last_used_at < func.now() - timedelta(seconds=_USED_SECONDS))
        connection.execute(update(service_token).where(table.id == row.id, stale).values(last_used_at=func.now()))
    return user


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
