"""Which versions of an owner's fields are live and being edited: two preferences, equal when nothing is new."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, text, update

from batchtask.crm7 import allocate_ids, udeffield, userpreference
from batchtask.udef.owners import Owner

_SECTION = "System"
_LIVE, _DRAFT = "CurrentUdefVersion", "AdminUdefVersion"
#: `userpreference.deflevel`: of the whole database; a level above is a user's own, which versions cannot be.
_DATABASE_LEVEL = 2
_ADVISORY_SPACE = 7_243  # first half of the lock's key; the second is the owner's number


@dataclass(frozen=True)
class Versions:
    """Versions of an owner's fields; 0 = there never was one."""

    live: int
    draft: int

    @property
    def differ(self) -> bool:
        return self.live != self.draft


class VersionsUnreadable(Exception):
    """A preference holds no number."""

    def __init__(self, key: str, value: str) -> None:
        super().__init__(key, value)
        self.key = key
        self.value = value

    def __str__(self) -> str:
        return f"The preference {_SECTION}/{self.key} must be a version number, not {self.value!r}: mend it."


def lock_fields(connection: Connection, owner: Owner) -> None:
    """Let nobody else edit or publish the fields of an owner until the transaction ends; waits for whoever does."""
    lock = text("SELECT pg_advisory_xact_lock(:space, :number)")
    connection.execute(lock, {"space": _ADVISORY_SPACE, "number": owner.number})


def read_versions(connection: Connection, owner: Owner) -> Versions:
    """Read which versions there are.

    Raises:
        VersionsUnreadable: The preferences are garbage.
    """
    live = _read(connection, f"{_LIVE}{owner.name}")
    draft = _read(connection, f"{_DRAFT}{owner.name}")
    return Versions(live=live or 0, draft=live or 0 if draft is None else draft)


def live_versions(connection: Connection) -> frozenset[tuple[str, str]]:
    """Read all owners' live versions, to compare.

    The same before and after a statement: it found the values in the columns that were told by definitions read in
    between. Publishing changes versions, columns and values in one commit, and no version comes twice.
    """
    table = userpreference.c
    live = table.prefkey.startswith(_LIVE, autoescape=True)
    rows = connection.execute(select(table.prefkey, table.prefvalue).where(table.prefsection == _SECTION, live))
    return frozenset((row.prefkey, row.prefvalue) for row in rows)


def set_live_version(connection: Connection, owner: Owner, version: int, associate_id: int) -> None:
    _write(connection, f"{_LIVE}{owner.name}", version, associate_id)


def set_draft_version(connection: Connection, owner: Owner, version: int, associate_id: int) -> None:
    _write(connection, f"{_DRAFT}{owner.name}", version, associate_id)


def unused_version(connection: Connection, owner: Owner) -> int:
    """Return a number above all that were ever given to the owner's fields."""
    versions = read_versions(connection, owner)
    highest = select(func.max(udeffield.c.version)).where(udeffield.c.ownertable_id == owner.number)
    return max(versions.live, versions.draft, connection.execute(highest).scalar_one() or 0) + 1


def _read(connection: Connection, key: str) -> int | None:
    table = userpreference.c
    query = select(table.prefvalue).where(table.prefsection == _SECTION, table.prefkey == key)
    query = query.where(table.deflevel <= _DATABASE_LEVEL).order_by(table.deflevel.desc()).limit(1)
    value = connection.execute(query).scalar()
    if value is None:
        return None
    if not (value.strip().isascii() and value.strip().isdecimal()):
        raise VersionsUnreadable(key, value)
    return int(value)


def _write(connection: Connection, key: str, version: int, associate_id: int) -> None:
    table = userpreference.c
    same = (table.prefsection == _SECTION, table.prefkey == key, table.deflevel <= _DATABASE_LEVEL)
    changed = {"prefvalue": str(version), "updated": func.now(), "updated_associate_id": associate_id}
    again = update(userpreference).where(*same).values(**changed, updatedcount=table.updatedcount + 1)
    if connection.execute(again).rowcount:
        return
    [preference_id] = allocate_ids(connection, userpreference, 1)
    connection.execute(
        insert(userpreference).values(
            userpreference_id=preference_id,
            deflevel=_DATABASE_LEVEL,
            maxlevel=_DATABASE_LEVEL,
            owner_id=0,
            prefsection=_SECTION,
            prefkey=key,
            registered=func.now(),
            registered_associate_id=associate_id,
            updatedcount=0,
            **changed,
        )
    )
