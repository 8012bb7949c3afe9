"""Rows of messages. What is on the server decides: every function here can be repeated, and nothing is there twice.

`server_id` is the UID. A row whose message is no longer where it was has none: a negative number until it is known
what became of it, and 0 if it is kept because it was archived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, DateTime, bindparam, cast, func, insert, text

from batchtask import crm7
from batchtask.crm7 import allocate_ids
from worker.tasks.inbox.links import Writer, find_writers
from worker.tasks.inbox.reading import FLAGS, LARGEST_SIZE, Message
from worker.tasks.inbox.structure import Part
from worker.tasks.inbox.texts import cut

_KNOWN = text("SELECT server_id FROM crm7.email_item WHERE email_folder_id = :folder AND server_id > 0")
_THERE = text("SELECT server_id FROM crm7.email_item WHERE email_folder_id = :folder AND server_id = ANY(:uids)")
_SET_FLAGS = text("""
UPDATE crm7.email_item i
   SET flags = f.flags, updated = now(), updated_associate_id = :user, updatedcount = (updatedcount + 1) % 65536
  FROM unnest(CAST(:uids AS bigint[]), CAST(:flags AS int[])) AS f (uid, flags)
 WHERE i.email_folder_id = :folder AND i.server_id = f.uid AND i.flags IS DISTINCT FROM f.flags
""")
_MISS = text("""
UPDATE crm7.email_item SET server_id = -email_item_id
 WHERE email_folder_id = :folder AND server_id > 0 AND server_id = ANY(:uids)
""")
_MISS_ALL = text("""
UPDATE crm7.email_item SET server_id = -email_item_id WHERE email_folder_id = :folder AND server_id > 0
""")
_OLDEST_MISSING = text("""
SELECT count(*) AS rows, CAST(min(received_at) AS date) AS day FROM crm7.email_item
 WHERE account_id = :account AND server_id <= 0
""")
_MISSING = text("""
SELECT email_item_id, messageid, size, subject, "from", sent_at IS NULL AS undated FROM crm7.email_item
 WHERE account_id = :account AND server_id <= 0
   AND (messageid = ANY(:ids) OR (coalesce(messageid, '') = '' AND size = ANY(:sizes)))
 ORDER BY server_id < 0 DESC, email_item_id
""")
_ADOPT = text("""
UPDATE crm7.email_item
   SET email_folder_id = :folder, server_id = :uid, flags = :flags, updated = now(), updated_associate_id = :user,
       updatedcount = (updatedcount + 1) % 65536
 WHERE email_item_id = :item
""")
# Archived: a document, an appointment or a sale of the CRM says that it was made from this message.
_KEEP = text(f"""
UPDATE crm7.email_item SET server_id = 0, flags = coalesce(flags, 0) | {FLAGS["deleted"]}, updated = now(),
       updated_associate_id = :user, updatedcount = (updatedcount + 1) % 65536
 WHERE account_id = :account AND server_id < 0
   AND (coalesce(document_id, 0) <> 0 OR coalesce(appointment_id, 0) <> 0 OR coalesce(sale_id, 0) <> 0)
""")  # noqa: S608 - a constant of ours
_DELETE = text("""
WITH gone AS (DELETE FROM crm7.email_item WHERE account_id = :account AND server_id < 0 RETURNING email_item_id)
DELETE FROM crm7.email_attachment a USING gone WHERE a.email_item_id = gone.email_item_id
""")
_HIDE = text(f"""
UPDATE crm7.email_item SET flags = coalesce(flags, 0) | {FLAGS["deleted"]}, updated = now(),
       updated_associate_id = :user, updatedcount = (updatedcount + 1) % 65536
 WHERE account_id = :account AND server_id < 0 AND coalesce(flags, 0) & {FLAGS["deleted"]} = 0
""")  # noqa: S608
_COUNT_MISSING = text("SELECT count(*) FROM crm7.email_item WHERE account_id = :account AND server_id < 0")

# Times are on the wall clock of the database, which the session knows.
_INSERT = insert(crm7.email_item).values(
    sent_at=cast(bindparam("sent", type_=DateTime(timezone=True)), DateTime),
    registered=func.now(),
    updated=func.now(),
    received_at=cast(bindparam("received", type_=DateTime(timezone=True)), DateTime),
)


def known_uids(connection: Connection, folder_id: int) -> list[int]:
    """Return the UIDs of all rows of a folder, sorted."""
    return sorted(connection.execute(_KNOWN, {"folder": folder_id}).scalars())


def set_flags(connection: Connection, folder_id: int, flags: Mapping[int, int], user: int) -> int:
    """Write flags by UID and return how many rows changed; a UID without a row is left out."""
    values = {"folder": folder_id, "uids": list(flags), "flags": list(flags.values()), "user": user}
    return connection.execute(_SET_FLAGS, values).rowcount


def miss(connection: Connection, folder_id: int, uids: Iterable[int]) -> None:
    """Note that messages are no longer in the folder; they may turn up in another."""
    connection.execute(_MISS, {"folder": folder_id, "uids": list(uids)})


def miss_all(connection: Connection, folder_id: int) -> None:
    """Note that the folder is gone, or has new UIDs."""
    connection.execute(_MISS_ALL, {"folder": folder_id})


def oldest_missing(connection: Connection, account_id: int) -> tuple[int, date | None]:
    """Return how many rows have no UID, and when the oldest of them came."""
    row = connection.execute(_OLDEST_MISSING, {"account": account_id}).one()
    return row.rows, row.day


def hide_missing(connection: Connection, account_id: int, user: int) -> None:
    """Mark rows without a UID as deleted, and keep them: not all folders were looked into."""
    connection.execute(_HIDE, {"account": account_id, "user": user})


def settle_missing(connection: Connection, account_id: int, user: int) -> int:
    """Delete the rows of messages that turned up nowhere, keep the archived ones; return how many were deleted."""
    connection.execute(_KEEP, {"account": account_id, "user": user})
    gone = connection.execute(_COUNT_MISSING, {"account": account_id}).scalar_one()
    connection.execute(_DELETE, {"account": account_id})
    return int(gone)


def not_there(connection: Connection, folder_id: int, messages: Sequence[Message]) -> list[Message]:
    """Return those that have no row yet."""
    uids = [message.uid for message in messages]
    there = set(connection.execute(_THERE, {"folder": folder_id, "uids": uids}).scalars())
    return [message for message in messages if message.uid not in there]


def adopt(
    connection: Connection, account_id: int, folder_id: int, messages: Sequence[Message], user: int
) -> list[Message]:
    """Give rows without a UID the messages that they are of; return the messages that remain.

    A message is known by its Message-ID, or, without one, by its size, sender and subject.
    """
    orphans = _orphans(connection, account_id, messages)
    remaining, updates = [], []
    for message in not_there(connection, folder_id, messages):
        if items := orphans[_identity(message)]:
            values = {"item": items.pop(0), "folder": folder_id, "uid": message.uid}
            updates.append({**values, "flags": message.flags, "user": user})
        else:
            remaining.append(message)
    if updates:
        connection.execute(_ADOPT, updates)
    return remaining


def _orphans(
    connection: Connection, account_id: int, messages: Sequence[Message]
) -> defaultdict[tuple[object, ...], list[int]]:
    ids = [message.headers.message_id for message in messages if message.headers.message_id]
    sizes = [message.size for message in messages if not message.headers.message_id]
    found: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for row in connection.execute(_MISSING, {"account": account_id, "ids": ids, "sizes": sizes}):
        key = (row.messageid,) if row.messageid else (row.size, row.subject, getattr(row, "from"))
        found[key].append(row.email_item_id)
    return found


def _identity(message: Message) -> tuple[object, ...]:
    headers = message.headers
    return (headers.message_id,) if headers.message_id else (message.size, headers.subject, headers.sender)


def add(connection: Connection, account_id: int, folder_id: int, messages: Sequence[Message], user: int) -> int:
    """Insert the messages that have no row yet, with their attachments and writers; return how many."""
    new = not_there(connection, folder_id, messages)
    if not new:
        return 0
    writers = find_writers(connection, (message.headers.sender_address for message in new))
    item_ids = allocate_ids(connection, crm7.email_item, len(new))
    audit = {"registered_associate_id": user, "updated_associate_id": user, "updatedcount": 0}
    common = {"account_id": account_id, "email_folder_id": folder_id, **audit}
    rows = [
        {"email_item_id": item_id, **common, **_values(message, writers)}
        for item_id, message in zip(item_ids, new, strict=True)
    ]
    connection.execute(_INSERT, rows)
    _attach(connection, dict(zip(item_ids, new, strict=True)))
    return len(new)


def _values(message: Message, writers: Mapping[str, Writer]) -> dict[str, Any]:
    headers, texts = message.headers, message.texts
    writer = writers.get(headers.sender_address, Writer())
    return {
        "server_id": message.uid,
        "flags": message.flags,
        "size": message.size,
        "received": message.received_at,
        "sent": headers.sent_at,
        "messageid": headers.message_id,
        "in_reply_to": headers.in_reply_to,
        "subject": headers.subject,
        "from": headers.sender,
        "to": headers.to,
        "cc": headers.cc,
        "priority": headers.priority,
        "has_attachment": int(message.has_attachment),
        "plain_body": texts.get("plain"),
        "html_body": texts.get("html"),
        "cal_data": texts.get("calendar"),
        "person_id": writer.person_id,
        "contact_id": writer.contact_id,
    }


def _attach(connection: Connection, messages: Mapping[int, Message]) -> None:
    found = [(item_id, part) for item_id, message in messages.items() for part in message.attachments]
    if not found:
        return
    ids = allocate_ids(connection, crm7.email_attachment, len(found))
    rows = [
        {"email_attachment_id": key, "email_item_id": item_id, **_attachment(part)}
        for key, (item_id, part) in zip(ids, found, strict=True)
    ]
    connection.execute(insert(crm7.email_attachment), rows)


def _attachment(part: Part) -> dict[str, Any]:
    texts = {
        "cid": part.content_id or part.section,
        "description": part.description,
        "filename": part.filename,
        "disposition": part.disposition,
        "type": part.type,
        "encoding": part.encoding,
    }
    return {**{name: cut(value, 255) for name, value in texts.items()}, "size": min(part.bytes, LARGEST_SIZE)}
