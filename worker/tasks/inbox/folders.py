"""The folders of an account: the server's list, kept as rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from batchtask import crm7
from batchtask.crm7 import allocate_ids
from worker.tasks.inbox.imap import Listed
from worker.tasks.inbox.imap.names import decode_name
from worker.tasks.inbox.items import miss_all
from worker.tasks.inbox.states import forget_state
from worker.tasks.inbox.texts import clean

#: Bits of `email_folder.attributes`; which ones the original uses is not documented.
ATTRIBUTES = {
    "subscribed": 1, "haschildren": 2, "noselect": 4, "nonexistent": 8, "inbox": 16, "sent": 32, "drafts": 64,
    "trash": 128, "junk": 256, "archive": 512, "all": 1024, "flagged": 2048, "important": 4096,
}  # fmt: skip
#: Views of messages that are in another folder, too: everything would be there twice.
_VIEWS = {"all", "flagged", "important"}
INBOX = "INBOX"
LONGEST_NAME = 255
_LINE_BREAK = re.compile(rb"[\r\n\0]")

_INSERT = insert(crm7.email_folder).values(registered=func.now(), updated=func.now())


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder of the server with its row."""

    folder_id: int
    name: str  #: with those above it, as a person writes it
    raw_name: bytes  #: as the server writes it
    listed: Listed

    @property
    def selectable(self) -> bool:
        return not {"noselect", "nonexistent"} & self.listed.attributes


@dataclass(frozen=True, kw_only=True)
class FolderList:
    """What came of the server's list."""

    folders: list[Folder]
    unusable: list[str]  #: names that no column or no command holds


def refresh_folders(connection: Connection, account_id: int, listed: Sequence[Listed], user: int) -> FolderList:
    """Bring the rows to what the server lists, and return its folders.

    The messages of a folder that is gone may have gone elsewhere with another name: they wait until it is known.
    """
    by_name, unusable = _by_name(listed)
    rows = {row.name: row for row in connection.execute(_rows(account_id))}
    for name in sorted(rows.keys() - by_name.keys()):
        _remove(connection, rows[name].email_folder_id)
    new = sorted(by_name.keys() - rows.keys())
    ids = {name: row.email_folder_id for name, row in rows.items() if name in by_name}
    ids |= dict(zip(new, allocate_ids(connection, crm7.email_folder, len(new)) if new else (), strict=True))
    values = {name: _values(account_id, name, by_name, ids) for name in by_name}
    if new:
        connection.execute(_INSERT, [_new(ids[name], values[name], user) for name in new])
    for name in by_name.keys() & rows.keys():
        _update(connection, rows[name], values[name], user)
    folders = [
        Folder(folder_id=ids[name], name=name, raw_name=one.raw_name, listed=one)
        for name, one in sorted(by_name.items(), key=lambda item: (item[0] != INBOX, item[0]))
    ]
    return FolderList(folders=folders, unusable=unusable)


def choose(folders: Sequence[Folder], names: Sequence[str]) -> tuple[list[Folder], list[str]]:
    """Return the folders to read, and the wanted names that are none.

    Args:
        folders: All that there are.
        names: Wanted; empty = INBOX and what the user subscribed to, or everything if that is nothing.
    """
    usable = [folder for folder in folders if folder.selectable]
    if names:
        wanted = {_canonical(name) for name in names}
        chosen = [folder for folder in usable if folder.name in wanted]
        return chosen, sorted(wanted - {folder.name for folder in chosen})
    kept = [folder for folder in usable if not _VIEWS & folder.listed.attributes]
    subscribed = [folder for folder in kept if folder.listed.subscribed]
    if not subscribed:
        return kept, []
    return [folder for folder in kept if folder.listed.subscribed or folder.name == INBOX], []


def _by_name(listed: Sequence[Listed]) -> tuple[dict[str, Listed], list[str]]:
    found: dict[str, Listed] = {}
    unusable = []
    for one in listed:
        name = _canonical(clean(decode_name(one.raw_name)))
        if not name or len(name) > LONGEST_NAME or name in found or _LINE_BREAK.search(one.raw_name):
            unusable.append(name[:60])
        else:
            found[name] = one
    return found, unusable


def _canonical(name: str) -> str:
    """INBOX is the only name whose case does not matter: https://www.rfc-editor.org/rfc/rfc3501#section-5.1."""
    return INBOX if name.upper() == INBOX else name


def _rows(account_id: int) -> Any:
    table = crm7.email_folder
    return select(table).where(table.c.account_id == account_id).order_by(table.c.email_folder_id)


def _values(account_id: int, name: str, by_name: dict[str, Listed], ids: dict[str, int]) -> dict[str, Any]:
    one = by_name[name]
    above = name.rpartition(one.separator)[0] if one.separator else ""
    return {
        "account_id": account_id,
        "name": name,
        "parent_folder_id": ids.get(above, 0),
        "attributes": _bits(name, one),
        "folder_separator": one.separator,
    }


def _bits(name: str, one: Listed) -> int:
    names = one.attributes | ({"subscribed"} if one.subscribed else set()) | ({"inbox"} if name == INBOX else set())
    return sum(bit for attribute, bit in ATTRIBUTES.items() if attribute in names)


def _new(folder_id: int, values: dict[str, Any], user: int) -> dict[str, Any]:
    audit = {"registered_associate_id": user, "updated_associate_id": user, "updatedcount": 0}
    return {"email_folder_id": folder_id, **values, **audit}


def _update(connection: Connection, row: Any, values: dict[str, Any], user: int) -> None:
    if all(getattr(row, column) == value for column, value in values.items()):
        return
    table = crm7.email_folder
    audit = {"updated": func.now(), "updated_associate_id": user, "updatedcount": (table.c.updatedcount + 1) % 65536}
    where = table.c.email_folder_id == row.email_folder_id
    connection.execute(update(table).where(where).values(**values, **audit))


def _remove(connection: Connection, folder_id: int) -> None:
    miss_all(connection, folder_id)
    forget_state(connection, folder_id)
    connection.execute(delete(crm7.email_folder).where(crm7.email_folder.c.email_folder_id == folder_id))
