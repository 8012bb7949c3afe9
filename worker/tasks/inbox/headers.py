"""Header fields of a message, as somebody wrote them: encoded words, addresses, dates, all of them maybe broken."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime

from worker.tasks.inbox.texts import cut, decode

#: What is asked of the server, so that ten thousand other lines do not matter; and at most so much of it.
WANTED = (b"DATE SUBJECT FROM SENDER TO CC MESSAGE-ID IN-REPLY-TO REFERENCES X-PRIORITY PRIORITY IMPORTANCE "
          b"X-MSMAIL-PRIORITY")  # fmt: skip
MOST_BYTES = 64 * 1024
#: More addresses than that fill no column.
MOST_ADDRESS_CHARACTERS = 16_000
ADDRESSES_LENGTH, ID_LENGTH, SUBJECT_LENGTH = 4000, 512, 255

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.MULTILINE)
_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(=\?[^?\s]+\?[bBqQ]\?[^?]*\?=)\s+(?==\?[^?\s]+\?[bBqQ]\?[^?]*\?=)")
_CONTROL = re.compile(r"[\r\n\x00-\x1f\x7f\x85\u2028\u2029]+")
_ID = re.compile(r"<[^<>\s]+>")
_NAMED_PRIORITIES = {"urgent": 1, "highest": 1, "high": 2, "normal": 3, "low": 4, "non-urgent": 4, "lowest": 5}
NORMAL_PRIORITY = 3
_YEARS = range(1970, 2200)
_YEAR_0 = re.compile(r"[A-Za-z]{3}\s+0\d\d\d\b")  # the standard library reads 0001 as 2001


@dataclass(frozen=True, kw_only=True)
class Headers:
    """What the CRM keeps of a message's header."""

    message_id: str
    in_reply_to: str
    subject: str
    sender: str  #: name and address as shown
    sender_address: str  #: for the search, in small letters
    to: str
    cc: str
    sent_at: datetime | None
    date_unreadable: bool
    priority: int  #: 1 highest to 5 lowest


def read_headers(octets: bytes) -> Headers:
    """Read the header fields that count; a broken one is as if it was missing."""
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(octets):
        text = re.sub(r"\r?\n[ \t]+", " ", decode(match[2])).strip()
        fields.setdefault(match[1].decode("ascii", "replace").lower(), text)
    sender, sender_address = read_addresses(fields.get("from") or fields.get("sender", ""))
    date = fields.get("date", "")
    sent_at = read_date(date)
    return Headers(
        message_id=cut(_first_id(fields.get("message-id", "")), ID_LENGTH),
        in_reply_to=cut(_reply_to(fields), ID_LENGTH),
        subject=cut(read_words(fields.get("subject", "")), SUBJECT_LENGTH),
        sender=sender,
        sender_address=sender_address,
        to=read_addresses(fields.get("to", ""))[0],
        cc=read_addresses(fields.get("cc", ""))[0],
        sent_at=sent_at,
        date_unreadable=bool(date) and sent_at is None,
        priority=_priority(fields),
    )


def read_words(text: str) -> str:
    """Decode encoded words, https://www.rfc-editor.org/rfc/rfc2047; what is broken stays as it is.

    Neighbours of one character set are joined before they are read: some programs cut within a character. An encoded
    line break becomes a blank, or whoever puts the text into a header would write lines that the sender thought up.
    """
    joined = _BETWEEN_WORDS.sub(r"\1", text)
    words = re.sub(rf"(?:{_WORD.pattern})+", lambda match: _decode_words(match[0]), joined)
    return _CONTROL.sub(" ", words)


def _decode_words(words: str) -> str:
    pieces: list[tuple[str, bytes]] = []
    for charset, kind, content in _WORD.findall(words):
        octets = _word_octets(kind, content)
        if octets is None:
            return words
        name = charset.partition("*")[0].lower()
        if pieces and pieces[-1][0] == name:
            octets = pieces.pop()[1] + octets
        pieces.append((name, octets))
    return "".join(decode(octets, charset) for charset, octets in pieces)


def _word_octets(kind: str, content: str) -> bytes | None:
    raw = content.encode("utf-8", "replace")
    if kind in "qQ":
        return quopri.decodestring(raw.replace(b"_", b" "), header=False)
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        return None


def read_addresses(text: str) -> tuple[str, str]:
    """Return addresses as `Name <address>, …` for a column, and the first bare address in small letters."""
    text = text[:MOST_ADDRESS_CHARACTERS]
    try:
        # Comments in parentheses are read by recursion.
        pairs = [(name, address) for name, address in getaddresses([text]) if address] if "((((" not in text else []
    except (ValueError, IndexError, TypeError, AttributeError):
        pairs = []  # the standard library trips over some
    if not pairs:
        found = re.search(r"[^\s<>,;\"()]+@[^\s<>,;\"()]+", text)
        return cut(read_words(text), ADDRESSES_LENGTH), found[0].lower() if found else ""
    shown = [f"{read_words(name)} <{address}>" if name else address for name, address in pairs]
    return _fitting(shown), cut(pairs[0][1].lower(), ADDRESSES_LENGTH)


def _fitting(addresses: list[str]) -> str:
    """Join as many whole addresses as the column takes."""
    text = cut(", ".join(addresses), ADDRESSES_LENGTH + 1)
    if len(text) <= ADDRESSES_LENGTH:
        return text
    end = text.rfind(", ", 0, ADDRESSES_LENGTH - 2)
    return text[:end].rstrip(", ") + ", …" if end > 0 else text[: ADDRESSES_LENGTH - 1] + "…"


def read_date(text: str) -> datetime | None:
    """Read a date; None if it is none, or from a time when nobody wrote mail."""
    try:
        moment = parsedate_to_datetime("" if _YEAR_0.search(text) else text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware if aware.astimezone(UTC).year in _YEARS else None
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def _first_id(text: str) -> str:
    found = _ID.search(text)
    return found[0] if found else " ".join(text.split())


def _reply_to(fields: dict[str, str]) -> str:
    if answered := _ID.search(fields.get("in-reply-to", "")):
        return answered[0]
    references = _ID.findall(fields.get("references", ""))
    return references[-1] if references else ""


def _priority(fields: dict[str, str]) -> int:
    number = re.match(r"\s*([1-5])", fields.get("x-priority", ""))
    if number:
        return int(number[1])
    names = (fields.get(name, "").strip().lower() for name in ("importance", "priority", "x-msmail-priority"))
    return next((_NAMED_PRIORITIES[name] for name in names if name in _NAMED_PRIORITIES), NORMAL_PRIORITY)
