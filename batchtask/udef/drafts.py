"""Drafts of an owner's fields: a copy of the live version to edit, which publishing makes live or reverting drops."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, literal, select

from batchtask.crm7 import allocate_ids, udeffield
from batchtask.udef.owners import Owner
from batchtask.udef.publishing import PublishingActive, is_publishing
from batchtask.udef.versions import (
    lock_fields,
    read_versions,
    set_draft_version,
    unused_version,
)

#: What a field does not take over from the generation before it.
_OWN = {"udeffield_id", "version", "lastversionid"}


def has_unpublished_changes(connection: Connection, owner: Owner) -> bool:
    """Tell whether there is a draft."""
    return read_versions(connection, owner).differ


def open_draft(connection: Connection, owner: Owner, associate_id: int) -> int:
    """Return the draft's version, making the draft from the live version if there is none. Commit is the caller's.

    Call it before every edit of a draft's rows: until the transaction ends nobody else edits or publishes them.

    Raises:
        PublishingActive: They are being published.
        VersionsUnreadable: The preferences are garbage.
    """
    _begin_edit(connection, owner)
    versions = read_versions(connection, owner)
    if versions.differ:
        return versions.draft
    draft = unused_version(connection, owner)
    _copy(connection, owner, versions.live, draft)
    set_draft_version(connection, owner, draft, associate_id)
    return draft


def revert(connection: Connection, owner: Owner, associate_id: int) -> int:
    """Drop the draft and return how many fields it had; 0 if there was none. Commit is the caller's.

    Raises:
        PublishingActive: It is being published.
        VersionsUnreadable: The preferences are garbage.
    """
    _begin_edit(connection, owner)
    versions = read_versions(connection, owner)
    if not versions.differ:
        return 0
    table = udeffield.c
    dropped = delete(udeffield).where(table.ownertable_id == owner.number, table.version == versions.draft)
    count = connection.execute(dropped).rowcount
    set_draft_version(connection, owner, versions.live, associate_id)
    return count


def unused_identity(connection: Connection, owner: Owner) -> int:
    """Return an identity that no generation of any of the owner's fields has had; call `open_draft` before."""
    highest = select(func.max(udeffield.c.udefidentity)).where(udeffield.c.ownertable_id == owner.number)
    return int(connection.execute(highest).scalar_one() or 0) + 1


def _begin_edit(connection: Connection, owner: Owner) -> None:
    # Looked at before the lock, which publishing holds for minutes, and again behind it.
    if is_publishing(connection, owner):
        raise PublishingActive(owner.label)
    lock_fields(connection, owner)
    if is_publishing(connection, owner):
        raise PublishingActive(owner.label)


def _copy(connection: Connection, owner: Owner, live: int, draft: int) -> None:
    table = udeffield.c
    of_live = (table.ownertable_id == owner.number, table.version == live)
    count = connection.execute(select(func.count()).where(*of_live)).scalar_one()
    first = allocate_ids(connection, udeffield, count).start
    number = first - 1 + func.row_number().over(order_by=(table.taborder, table.udeffield_id))
    taken_over = [column for column in table if column.name not in _OWN]
    rows = select(number, literal(draft), table.udeffield_id, *taken_over).where(*of_live)
    names = ["udeffield_id", "version", "lastversionid", *(column.name for column in taken_over)]
    connection.execute(insert(udeffield).from_select(names, rows))
