"""One IMAP session after the login: folders, searches, and what is known of messages. It changes nothing there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from worker.tasks.inbox.imap.names import quoted
from worker.tasks.inbox.imap.tokens import Literal, Value, read_values
from worker.tasks.inbox.imap.uids import Range, expand, read_ranges, write_set
from worker.tasks.inbox.imap.wire import Wire
from worker.tasks.inbox.problems import CommandRefused, ServerConfused, ServerUnreachable

#: One FETCH answer by item, in capital letters; where a part begins is left off, and `HEADER` is the header fields.
Fetched = dict[bytes, Value]

_UNTAGGED = re.compile(rb"\* (?:(\d{1,10}) )?([A-Za-z][A-Za-z0-9-]*) ?")
_CODE = re.compile(rb"\[([A-Za-z-]+)(?: ([^\]]*))?\]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in no locale


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A folder in the server's list."""

    raw_name: bytes  #: as commands name it
    separator: str  #: between a folder and those below it; "" for none
    attributes: frozenset[str]  #: without the backslash, in small letters
    subscribed: bool


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a folder stands; unequal if anything in it changed, as far as the server can tell."""

    uid_validity: int  #: another one voids all UIDs
    next_uid: int
    messages: int
    modseq: int | None  #: rises with every change; None: the server does not count


@dataclass
class Untagged:
    """One response that belongs to no command in particular."""

    kind: bytes
    number: int
    chunks: list[bytes | Literal]

    def values(self) -> list[Value]:
        return read_values(self.chunks)

    def text(self) -> bytes:
        return b"".join(chunk for chunk in self.chunks if isinstance(chunk, bytes))


@dataclass
class Changes:
    """What happened in a folder since some state of it."""

    flags: Iterator[tuple[int, frozenset[str]]]  #: by UID; read it before `vanished`
    vanished: list[Range] = field(default_factory=list)


class Session:
    """A login. One command at a time; what it returns lazily must be read to its end before the next."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._tags = 0
        self.capabilities: frozenset[bytes] = frozenset()
        self._enabled = False  #: QRESYNC

    @property
    def counts_changes(self) -> bool:
        """CONDSTORE: https://www.rfc-editor.org/rfc/rfc7162 describes it, and QRESYNC."""
        return bool({b"CONDSTORE", b"QRESYNC"} & self.capabilities)

    @property
    def tells_vanished(self) -> bool:
        """QRESYNC: what vanished is told with what changed."""
        return b"QRESYNC" in self.capabilities and b"ENABLE" in self.capabilities

    def read_capabilities(self) -> None:
        found: set[bytes] = set()
        for response in self.run(b"CAPABILITY"):
            if response.kind == b"CAPABILITY":
                found.update(response.text().upper().split())
        self.capabilities = frozenset(found)

    def folders(self) -> list[Listed]:
        """List all folders.

        Raises:
            ServerConfused: There is none, which cannot be: every mailbox has INBOX.
        """
        subscribed = self._subscribed()
        found = {listed.raw_name: listed for listed in self._list(b"LIST")}
        if not found:
            raise ServerConfused(f"The mail server {self._wire.server} lists no folders.")
        return [
            Listed(
                raw_name=name,
                separator=listed.separator,
                attributes=listed.attributes,
                subscribed=name in subscribed or "subscribed" in listed.attributes,
            )
            for name, listed in found.items()
        ]

    def status(self, raw_name: bytes) -> Status:
        """Ask where a folder stands without opening it."""
        items = b"UIDVALIDITY UIDNEXT MESSAGES" + (b" HIGHESTMODSEQ" if self.counts_changes else b"")
        numbers: dict[bytes, int] = {}
        for response in self.run(b"STATUS " + quoted(raw_name) + b" (" + items + b")"):
            if response.kind == b"STATUS":
                numbers = _pairs(self._values(response)[-1:])
        return self._status(numbers)

    def examine(self, raw_name: bytes) -> Status:
        """Open a folder for reading."""
        if self.tells_vanished and not self._enabled:
            self._drain(b"ENABLE QRESYNC")
            self._enabled = True
        numbers: dict[bytes, int] = {}
        with_counts = b" (CONDSTORE)" if self.counts_changes else b""
        for response in self.run(b"EXAMINE " + quoted(raw_name) + with_counts):
            if response.kind == b"EXISTS":
                numbers[b"MESSAGES"] = response.number
            elif response.kind == b"OK" and (code := _CODE.search(response.text())):
                numbers |= {code[1].upper(): int(code[2])} if (code[2] or b"").isdigit() else {}
        return self._status(numbers)

    def search(self, criteria: bytes) -> list[int]:
        """Return the UIDs of the messages that meet the criteria."""
        wanted = b"RETURN (ALL) " if b"ESEARCH" in self.capabilities else b""
        found: list[int] = []
        for response in self.run(b"UID SEARCH " + wanted + criteria):
            if response.kind == b"SEARCH":
                found += [int(number) for number in response.text().split() if number.isdigit()]
            elif response.kind == b"ESEARCH":
                found += self._expanded(response)
        return found

    def search_since(self, day: date) -> list[int]:
        """Return the UIDs of what came on a day or later, by the server's clock."""
        return self.search(b"SINCE %d-%s-%d" % (day.day, _MONTHS[day.month - 1].encode(), day.year))

    def changes_since(self, modseq: int) -> Changes:
        """Ask what changed in the open folder since it counted so many changes."""
        also = b" VANISHED" if self.tells_vanished else b""
        changes = Changes(iter(()))
        command = b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d%s)" % (modseq, also)
        changes.flags = self._flags(self.run(command), changes.vanished)
        return changes

    def flags_between(self, first: int, last: int) -> Iterator[tuple[int, frozenset[str]]]:
        """Yield UID and flags of all messages in a range of UIDs."""
        return self._flags(self.run(b"UID FETCH %d:%d (FLAGS)" % (first, last)), [])

    def fetch(self, uids: Iterable[int], items: bytes) -> Iterator[Fetched]:
        """Yield what is asked for; an answer that cannot be read is left out, and so is a message that is gone."""
        for response in self.run(b"UID FETCH " + write_set(uids) + b" (" + items + b")"):
            if response.kind == b"FETCH" and (fetched := _fetched(response)) and _uid(fetched):
                yield fetched

    def run(self, command: bytes) -> Iterator[Untagged]:
        """Send a command and yield the responses until it is done.

        Raises:
            CommandRefused: The server said NO or BAD.
            ServerConfused: It said something else.
            ServerUnreachable: The connection broke.
        """
        tag = self._begin(command)
        while True:
            chunks = self._wire.read()
            first = chunks[0]
            if isinstance(first, bytes) and first.startswith(tag + b" "):
                self._finish(first[len(tag) + 1 :], command)
                return
            yield self._untagged(chunks)

    def continued(self, command: bytes, answers: Sequence[bytes]) -> None:
        """Run a command that asks for more: each request of the server gets the next answer, then an empty line.

        Raises:
            CommandRefused: The server said NO or BAD.
        """
        tag, left = self._begin(command), list(answers)
        while True:
            first = self._wire.read()[0]
            if not isinstance(first, bytes):
                raise self._confused(first)
            if first.startswith(b"+"):
                self._wire.send(left.pop(0) if left else b"")
            elif first.startswith(tag + b" "):
                return self._finish(first[len(tag) + 1 :], command)

    def logout(self) -> None:
        """Take leave, if the server still listens."""
        try:
            self._drain(b"LOGOUT")
        except (ServerUnreachable, ServerConfused):
            pass  # it may close before it answers
        finally:
            self._wire.close()

    def _begin(self, command: bytes) -> bytes:
        self._tags += 1
        tag = b"B%d" % self._tags
        self._wire.send(tag + b" " + command)
        return tag

    def _drain(self, command: bytes) -> None:
        for _ in self.run(command):
            pass

    def _untagged(self, chunks: list[bytes | Literal]) -> Untagged:
        first = chunks[0]
        match = _UNTAGGED.match(first) if isinstance(first, bytes) else None
        if match is None or not isinstance(first, bytes):
            raise self._confused(first)
        kind = match[2].upper()
        if kind == b"BYE":
            reason = first[match.end() :].decode("utf-8", "replace")[:200]
            raise ServerUnreachable(f"The mail server {self._wire.server} ended the session: {reason}")
        return Untagged(kind, int(match[1] or 0), [first[match.end() :], *chunks[1:]])

    def _finish(self, rest: bytes, command: bytes) -> None:
        state, _, text = rest.partition(b" ")
        if state.upper() == b"OK":
            return
        verb = b" ".join(command.split()[: 2 if command.startswith(b"UID ") else 1]).decode()
        said = text.decode("utf-8", "replace")[:200]
        raise CommandRefused(f"The mail server {self._wire.server} refused {verb}: {said}", said)

    def _confused(self, seen: bytes | Literal) -> ServerConfused:
        octets = seen.octets if isinstance(seen, Literal) else seen
        return ServerConfused(f"The mail server {self._wire.server} sends what is no IMAP: {octets[:60]!r}.")

    def _list(self, verb: bytes) -> Iterator[Listed]:
        for response in self.run(verb + b' "" "*"'):
            if response.kind == verb and (listed := _listed(response)):
                yield listed

    def _subscribed(self) -> set[bytes]:
        """Name the subscribed folders; none if the server keeps no such list, as the newest need not."""
        try:
            return {listed.raw_name for listed in self._list(b"LSUB")}
        except CommandRefused:
            return set()

    def _values(self, response: Untagged) -> list[Value]:
        try:
            return response.values()
        except ValueError as error:
            raise self._confused(response.text()) from error

    def _status(self, numbers: dict[bytes, int]) -> Status:
        if not numbers.get(b"UIDVALIDITY"):
            raise ServerConfused(f"The mail server {self._wire.server} does not number its messages.")
        return Status(
            uid_validity=numbers[b"UIDVALIDITY"],
            next_uid=numbers.get(b"UIDNEXT", 0),
            messages=numbers.get(b"MESSAGES", 0),
            modseq=numbers.get(b"HIGHESTMODSEQ") or None,  # 0: this folder does not count
        )

    def _expanded(self, response: Untagged) -> list[int]:
        match = re.search(rb"ALL ([\d:,]+)", response.text())
        try:
            return expand(read_ranges(match[1])) if match else []
        except ValueError as error:
            raise self._confused(response.text()) from error

    def _flags(self, responses: Iterator[Untagged], vanished: list[Range]) -> Iterator[tuple[int, frozenset[str]]]:
        for response in responses:
            if response.kind == b"VANISHED":
                vanished += self._vanished(response)
            elif response.kind == b"FETCH" and (fetched := _fetched(response)) and (uid := _uid(fetched)):
                yield uid, read_flags(fetched.get(b"FLAGS"))

    def _vanished(self, response: Untagged) -> list[Range]:
        try:
            return read_ranges(response.text().split()[-1])
        except (ValueError, IndexError) as error:
            raise self._confused(response.text()) from error


def read_flags(value: Value) -> frozenset[str]:
    """Return the names of flags in small letters, without the backslash."""
    names = [name for name in value if isinstance(name, bytes)] if isinstance(value, list) else []
    return frozenset(name.decode("ascii", "replace").lower().lstrip("\\") for name in names)


def _listed(response: Untagged) -> Listed | None:
    """Read a folder of the list; None if that is not possible."""
    try:
        attributes, separator, name = response.values()
    except ValueError:
        return None
    if not isinstance(name, bytes):
        return None
    return Listed(
        raw_name=name,
        separator=separator.decode("ascii", "replace") if isinstance(separator, bytes) else "",
        attributes=read_flags(attributes),
        subscribed=False,
    )


def _fetched(response: Untagged) -> Fetched:
    """Read a FETCH answer by items; empty if that is not possible."""
    try:
        match response.values():
            case [[*values]]:
                names = (_item_name(value) for value in values[::2])
                return dict(zip(names, values[1::2], strict=False))
    except ValueError:
        pass
    return {}


def _item_name(value: Value) -> bytes:
    name = value.upper() if isinstance(value, bytes) else b""
    return b"HEADER" if name.startswith(b"BODY[HEADER") else re.sub(rb"<\d+>$", b"", name)


def _uid(fetched: Fetched) -> int:
    value = fetched.get(b"UID")
    return int(value) if isinstance(value, bytes) and value.isdigit() else 0


def _pairs(values: Sequence[Value]) -> dict[bytes, int]:
    """Read the numbers of a STATUS answer."""
    match values:
        case [[*pairs]]:
            numbers = zip(pairs[::2], pairs[1::2], strict=False)
            return {
                name.upper(): int(number)
                for name, number in numbers
                if isinstance(name, bytes) and isinstance(number, bytes) and number.isdigit()
            }
    return {}
