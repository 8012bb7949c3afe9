"""The CRM's users as those who call: found by login name or id, with their passwords. Synchronous; knows no HTTP."""

from __future__ import annotations

import unicodedata
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine, Row, Select, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from batchtask.crm7.people import associate
from batchtask.database import database_errors
from batchtask.errors import UserNotFound
from batchtask.http.passwords import hash_password, require_good
from batchtask.tables_web_users import web_password

#: Characters of a login name, as the CRM's column has them.
_LONGEST_NAME = 239


class WebUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user who may come in, once they prove to be the one."""

    associate_id: int  #: never 0, which is the system
    name: str  #: as the CRM spells it
    password_hash: str | None  #: None = no password was ever set
    password_changed_at: datetime | None


def find_by_name(connection: Connection, name: str) -> WebUser | None:
    """Find a user by login name, in any case of letters; of names that differ in case alone, the one as spelt.

    Returns:
        None when there is none, or more than one, or they are retired or wait for approval.
    """
    spelt = unicodedata.normalize("NFC", name)
    if not spelt.isprintable() or len(spelt) > _LONGEST_NAME:
        return None  # PostgreSQL refuses NUL in texts, and no name has such characters
    column = associate.c.name
    rows = connection.execute(_active().where(or_(column == spelt, func.lower(column) == func.lower(spelt)))).all()
    exact = [row for row in rows if row.name == spelt]
    found = exact or rows
    return _user(found[0]) if len(found) == 1 else None


def find_by_id(connection: Connection, associate_id: int) -> WebUser | None:
    """Find a user by id; None as with `find_by_name`."""
    row = connection.execute(_active().where(associate.c.associate_id == associate_id)).first()
    return _user(row) if row else None


def require_user(connection: Connection, name: str) -> WebUser:
    """Find a user by login name.

    Raises:
        UserNotFound: There is none who may come in.
    """
    user = find_by_name(connection, name)
    if user is None:
        raise UserNotFound(name)
    return user


def set_password(engine: Engine, name: str, password: str) -> WebUser:
    """Give a user a password in place of the one they had; their sessions end. Setting it again is harmless.

    Raises:
        SettingsError: The password is too short or too long.
        UserNotFound: There is no such user, or they are retired.
        StoreUnavailable: The database does not answer.
    """
    require_good(password)
    hashed = hash_password(password)
    with database_errors(), engine.begin() as connection:
        user = require_user(connection, name)
        row = {"hash": hashed, "changed_at": func.clock_timestamp()}
        statement = insert(web_password).values(associate_id=user.associate_id, **row)
        connection.execute(statement.on_conflict_do_update(index_elements=[web_password.c.associate_id], set_=row))
    return user


def remove_password(engine: Engine, name: str) -> WebUser:
    """Take a user's password away; their sessions end, their tokens stay.

    Raises:
        UserNotFound: There is no such user, or they are retired, and so cannot come in anyway.
        StoreUnavailable: The database does not answer.
    """
    with database_errors(), engine.begin() as connection:
        user = require_user(connection, name)
        connection.execute(delete(web_password).where(web_password.c.associate_id == user.associate_id))
    return user


def _active() -> Select[tuple[int, str, str, datetime]]:
    return (
        select(associate.c.associate_id, associate.c.name, web_password.c.hash, web_password.c.changed_at)
        .outerjoin(web_password, web_password.c.associate_id == associate.c.associate_id)
        .where(associate.c.associate_id > 0)  # 0 is the system, which may do everything
        .where(func.coalesce(associate.c.deleted, 0) == 0, associate.c.waiting_for_approval == 0)
    )


def _user(row: Row[tuple[int, str, str, datetime]]) -> WebUser:
    return WebUser(
        associate_id=row.associate_id,
        name=row.name,
        password_hash=row.hash,
        password_changed_at=row.changed_at,
    )
