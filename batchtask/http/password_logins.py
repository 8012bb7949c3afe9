"""Logins by name and password, of the form and of Basic: limited, and as slow for a user who is not there."""

from __future__ import annotations

import asyncio

from sqlalchemy import Engine

from batchtask.database import database_errors
from batchtask.http.login_limit import LoginLimit
from batchtask.http.passwords import fits
from batchtask.http.problems import TooManyRequests
from batchtask.http.web_users import WebUser, find_by_name

#: Each takes a core for 0.2 s and 32 MB: more at a time would be no faster.
AT_A_TIME = 2
#: Some five seconds of waiting; who comes then is told to come again, or the queue would grow under a flood.
WAITING = 50


class PasswordLogins:
    """Checks names and passwords. For one event loop, which no check holds up.

    Args:
        engine: The database.
        limit: Asked before each check, and told what came of it.
    """

    def __init__(self, engine: Engine, limit: LoginLimit) -> None:
        self._engine = engine
        self._limit = limit
        self._turn = asyncio.Semaphore(AT_A_TIME)
        self._present = 0

    async def find_user(self, name: str, password: str, address: str) -> WebUser | None:
        """Find the user who has this name and password; None when nobody does, for whatever reason.

        Raises:
            TooManyRequests: There were too many failures, or too many ask at once.
            StoreUnavailable: The database does not answer.
        """
        if self._present >= AT_A_TIME + WAITING:
            raise TooManyRequests("too many people log in at once: try again in a few seconds", {"Retry-After": "5"})
        self._present += 1
        try:
            with self._limit.attempt(name, address) as attempt:
                async with self._turn:
                    user = await asyncio.to_thread(self._check, name, password)
                attempt.succeeded = user is not None
                return user
        finally:
            self._present -= 1

    def _check(self, name: str, password: str) -> WebUser | None:
        with database_errors(), self._engine.connect() as connection:
            user = find_by_name(connection, name)
        # No connection is held while the password is hashed: they are few.
        stored = user.password_hash if user else None
        return user if fits(password, stored) else None
