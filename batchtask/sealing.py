"""Passwords at rest: what the CRM's tables keep of mail accounts is encrypted with keys that only processes have.

The format is Fernet (AES-128-CBC with an HMAC, https://github.com/fernet/spec): a text that tells neither the secret
nor its length to more than 16 bytes, and that cannot be changed unnoticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchtask.errors import SecretUnreadable, SettingsError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
    from sqlalchemy import Engine


class Sealer:
    """Seals and opens texts.

    Args:
        keys: Of `BATCHTASK_SECRET_KEYS`: separated by commas; the first seals, all open, so that keys can be changed.
    """

    def __init__(self, keys: str) -> None:
        self._keys = [key.strip() for key in keys.split(",") if key.strip()]

    def seal(self, secret: str) -> str:
        """Encrypt a text; the result is plain ASCII, and another one every time.

        Raises:
            SettingsError: No key is set, or it is none.
        """
        return self._fernet().encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """Decrypt what `seal` made.

        Raises:
            SecretUnreadable: It was sealed with another key, or changed, or never sealed.
            SettingsError: No key is set, or it is none.
        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - takes a moment to load

        try:
            return self._fernet().decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as error:
            raise SecretUnreadable from error

    def reseal(self, sealed: str) -> str:
        """Seal with the first key what any of them opens.

        Raises:
            SecretUnreadable: None of them does.
            SettingsError: No key is set, or it is none.
        """
        return self.seal(self.open(sealed))

    def require_keys(self) -> None:
        """Hold that there are keys.

        Raises:
            SettingsError: No key is set, or what is set is none.
        """
        self._fernet()

    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

        if not self._keys:
            raise SettingsError(["set BATCHTASK_SECRET_KEYS; `batchtask secret new-key` makes a key"])
        try:
            return MultiFernet([Fernet(key) for key in self._keys])
        except ValueError as error:
            raise SettingsError(
                ["BATCHTASK_SECRET_KEYS holds what is no key; `batchtask secret new-key` makes one"]
            ) from error


def seal_anew(engine: Engine, sealer: Sealer) -> tuple[int, list[int]]:
    """Seal all passwords of `crm7.service_auth` with the first key; all or none are written.

    Returns:
        How many there are, and the ids of rows that no key opens, which are left as they are.

    Raises:
        SettingsError: As of `Sealer.require_keys`.
        StoreUnavailable, SchemaMissing: Nothing was written.
    """
    from sqlalchemy import func, select, update  # noqa: PLC0415 - who only seals needs no database

    from batchtask.crm7 import service_auth  # noqa: PLC0415
    from batchtask.database import database_errors  # noqa: PLC0415

    sealer.require_keys()
    table, done, unreadable = service_auth.c, 0, []
    stored = select(table.service_auth_id, table.password).where(table.password != "").with_for_update()
    with database_errors(), engine.begin() as connection:
        for row in connection.execute(stored.order_by(table.service_auth_id)).all():
            try:
                password = sealer.reseal(row.password)
            except SecretUnreadable:
                unreadable.append(row.service_auth_id)
                continue
            where = table.service_auth_id == row.service_auth_id
            values = {"password": password, "updated": func.now(), "updatedcount": (table.updatedcount + 1) % 65536}
            connection.execute(update(service_auth).where(where).values(values))
            done += 1
    return done, unreadable
