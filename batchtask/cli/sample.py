"""A CRM to try things on: `batchtask up` fills its own empty database with the sample CRM and lets two users in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec
from sqlalchemy import Engine, func, select

from batchtask.crm7 import associate
from batchtask.database import database_errors
from batchtask.local.files import write_private

#: Users of the sample CRM, the administrator first.
ADMINISTRATOR, USER = "IH", "MK"
_FILE = "logins.json"


class Login(msgspec.Struct, frozen=True):
    """What somebody types to get in."""

    name: str
    password: str
    what: str  #: the user may do


def sample_logins(engine: Engine, folder: Path, environ: Mapping[str, str]) -> list[Login]:
    """Return who may log in to a database that was started here; the first time, load the sample CRM into it.

    A database that a URL names is left as it is. Killed in between, the next call goes on: the logins are written
    down before they count, and the CRM is loaded in one transaction.

    Args:
        engine: On the database that was started.
        folder: Where its data lies; keeps the logins, readable by this user alone.
        environ: The caller's environment.
    """
    if environ.get("BATCHTASK_DATABASE_URL"):
        return []
    file = folder / _FILE
    if _is_empty(engine):
        logins = [_login(ADMINISTRATOR, "an administrator"), _login(USER, "a user")]
        write_private(file, msgspec.json.encode(logins).decode())
        _load(engine, archive=folder / "archive")
    if not file.exists():
        return []
    logins = msgspec.json.decode(file.read_bytes(), type=list[Login])
    _let_in(engine, logins)
    return logins


def _is_empty(engine: Engine) -> bool:
    with database_errors(), engine.connect() as connection:
        return not connection.execute(select(func.count()).select_from(associate)).scalar_one()


def _login(name: str, what: str) -> Login:
    return Login(name, secrets.token_urlsafe(9), what)


def _load(engine: Engine, archive: Path) -> None:
    from batchtask.demo.sample_crm import load_sample_crm, write_sample_template

    letter = archive / "template" / "spring-letter.docx"
    letter.parent.mkdir(parents=True, exist_ok=True)
    write_sample_template(letter)
    with engine.begin() as connection:
        load_sample_crm(connection)


def _let_in(engine: Engine, logins: list[Login]) -> None:
    """Give passwords to those who have none: one that was changed since stays."""
    from batchtask.http.web_users import find_by_name, set_password

    for login in logins:
        with engine.connect() as connection:
            user = find_by_name(connection, login.name)
        if user is not None and user.password_hash is None:
            set_password(engine, login.name, login.password)
