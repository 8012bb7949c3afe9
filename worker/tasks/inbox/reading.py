"""Messages as the CRM keeps them, read from the server in as few and as small answers as possible.

An attachment is never fetched. What cannot be read is left out, and the rest of the message is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from worker.tasks.inbox.headers import MOST_BYTES, WANTED, Headers, read_headers
from worker.tasks.inbox.headers import read_date as read_internal_date
from worker.tasks.inbox.imap import Fetched, Session
from worker.tasks.inbox.imap.session import read_flags
from worker.tasks.inbox.imap.tokens import Value
from worker.tasks.inbox.problems import CommandRefused
from worker.tasks.inbox.structure import Part, read_parts
from worker.tasks.inbox.texts import clean, decode, html_to_text, unpack

#: So much of a text is kept, and so much is fetched at once. Guesses: a long letter has 20 kB.
MOST_TEXT_BYTES = 256 * 1024
MOST_FETCHED_BYTES = 4 * 1024 * 1024
LARGEST_SIZE = 2**31 - 1

#: Bits of `email_item.flags`. Its 4, "recent", is true for one session of one program only, and so not kept.
FLAGS = {"seen": 1, "deleted": 2, "flagged": 8, "draft": 16, "answered": 32}

_HEADER = b"BODY.PEEK[HEADER.FIELDS (%b)]<0.%d>" % (WANTED, MOST_BYTES)
#: From everything to next to nothing: a server may trip over one item of one message.
_QUESTIONS = (
    b"UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE " + _HEADER,
    b"UID FLAGS INTERNALDATE RFC822.SIZE " + _HEADER,
    b"UID FLAGS",
)
MOST_MODEST = len(_QUESTIONS) - 1

Warn = Callable[[str], None]


@dataclass(kw_only=True)
class Message:
    """One message in a folder."""

    uid: int
    flags: int
    size: int
    received_at: datetime | None
    headers: Headers
    parts: list[Part]
    texts: dict[str, str] = field(default_factory=dict)  #: by type: plain, html, calendar

    @property
    def attachments(self) -> list[Part]:
        return [part for part in self.parts if part.is_listed]

    @property
    def has_attachment(self) -> bool:
        return any(part.is_attachment for part in self.parts)

    def __str__(self) -> str:
        """Name it for a reader of the log."""
        return f"message {self.uid} ({self.headers.subject[:60] or 'without a subject'!r})"


def flag_bits(names: frozenset[str]) -> int:
    return sum(bit for name, bit in FLAGS.items() if name in names)


def read_messages(session: Session, uids: Sequence[int], warn: Warn, modesty: int = 0) -> list[Message]:
    """Read what is known of messages without their texts; one that is gone meanwhile is left out.

    Args:
        session: With the folder open.
        uids: Which.
        warn: Told of what cannot be read.
        modesty: 0 asks for everything, 1 not for the parts, `MOST_MODEST` for the flags only.
    """
    questions = _QUESTIONS[modesty:]
    found = _fetched(session, uids, questions[0])
    for uid in [uid for uid in uids if uid not in found]:
        for question in questions:
            if answer := _fetched(session, [uid], question):
                found |= answer
                break
        else:
            warn(f"message {uid} is left out: the server gives nothing of it, or it was deleted just now.")
    return [_message(uid, found[uid], warn) for uid in uids if uid in found]


def _fetched(session: Session, uids: Sequence[int], question: bytes) -> dict[int, Fetched]:
    found: dict[int, Fetched] = {}
    try:
        for fetched in session.fetch(uids, question):
            uid = _number(fetched.get(b"UID"))
            if uid in uids and set(_keys(question)) <= set(fetched):
                found[uid] = fetched
    except CommandRefused:
        pass  # what came until then counts; the rest is asked for one by one
    return found


def _keys(question: bytes) -> Iterator[bytes]:
    """Name what an answer must hold; servers send flags unasked, in answers of their own."""
    yield from (item for item in (b"RFC822.SIZE", b"BODYSTRUCTURE") if item in question)
    if _HEADER in question:
        yield b"HEADER"


def _message(uid: int, fetched: Fetched, warn: Warn) -> Message:
    header = fetched.get(b"HEADER")
    received = fetched.get(b"INTERNALDATE")
    message = Message(
        uid=uid,
        flags=flag_bits(read_flags(fetched.get(b"FLAGS"))),
        size=min(_number(fetched.get(b"RFC822.SIZE")), LARGEST_SIZE),
        received_at=_internal_date(received),
        headers=_headers(uid, header if isinstance(header, bytes) else b"", warn),
        parts=[],
    )
    if not isinstance(header, bytes):
        warn(f"{message}: the server cannot read it; only its flags are kept.")
    elif message.headers.date_unreadable:
        warn(f"{message}: its date cannot be read.")
    try:
        message.parts = read_parts(fetched.get(b"BODYSTRUCTURE"))
    except (ValueError, RecursionError):
        if isinstance(header, bytes):
            warn(f"{message}: what it consists of cannot be read; it is kept without text.")
    return message


def _headers(uid: int, octets: bytes, warn: Warn) -> Headers:
    try:
        return read_headers(octets)
    except Exception as error:
        warn(f"message {uid}: its header cannot be read ({type(error).__name__}).")
        return read_headers(b"")


def _internal_date(value: Value) -> datetime | None:
    if not isinstance(value, bytes):
        return None
    # " 1-Feb-2026 10:00:00 +0100" is a date of mail but for the hyphens
    return read_internal_date(value.decode("ascii", "replace").replace("-", " ", 2))


def _number(value: Value) -> int:
    return int(value) if isinstance(value, bytes) and value.isdigit() else 0


def read_texts(session: Session, messages: Sequence[Message], warn: Warn) -> None:
    """Fetch the texts of messages, and fill them in."""
    for group in _groups(messages):
        try:
            _read_group(session, group)
        except CommandRefused:
            for message in group:
                _read_alone(session, message, warn)
    for message in messages:
        if "plain" not in message.texts and "html" in message.texts:
            message.texts["plain"] = html_to_text(message.texts["html"])


def _read_alone(session: Session, message: Message, warn: Warn) -> None:
    try:
        _read_group(session, [message])
    except CommandRefused:
        warn(f"{message}: the server cannot read its text.")


def _groups(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Put together what can be asked for in one question, and is not too much."""
    alike: dict[tuple[str, ...], list[Message]] = defaultdict(list)
    for message in messages:
        if wanted := _wanted(message):
            alike[tuple(part.section for part in wanted.values())].append(message)
    for group in alike.values():
        some: list[Message] = []
        octets = 0
        for message in group:
            weight = sum(min(part.octets, MOST_TEXT_BYTES) for part in _wanted(message).values())
            if some and octets + weight > MOST_FETCHED_BYTES:
                yield some
                some, octets = [], 0
            some.append(message)
            octets += weight
        yield some


def _wanted(message: Message) -> dict[str, Part]:
    """Return the parts that are kept as text: of each kind the first."""
    wanted: dict[str, Part] = {}
    for part in message.parts:
        kind = part.type.partition("/")[2]
        if part.type == "text/calendar" or (part.is_body and kind in {"plain", "html"}):
            wanted.setdefault(kind, part)
    return wanted


def _read_group(session: Session, group: Sequence[Message]) -> None:
    sections = [part.section.encode() for part in _wanted(group[0]).values()]
    items = b" ".join(b"BODY.PEEK[%b]<0.%d>" % (section, MOST_TEXT_BYTES) for section in sections)
    by_uid = {message.uid: message for message in group}
    for fetched in session.fetch(by_uid, b"UID " + items):
        if message := by_uid.get(_number(fetched.get(b"UID"))):
            _keep_texts(message, fetched)


def _keep_texts(message: Message, fetched: Fetched) -> None:
    for kind, part in _wanted(message).items():
        octets = fetched.get(b"BODY[%b]" % part.section.encode())
        if isinstance(octets, bytes):
            message.texts[kind] = clean(decode(unpack(octets, part.encoding), part.charset))
