"""Who listens to what: mailboxes by the owner whose tasks they hear of, and how many streams there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from batchtask.http.problems import TooManyRequests, Unavailable
from projections.live.mailbox import Mailbox

#: More than anybody has windows; enough to hold up nobody else.
STREAMS_PER_USER = 20
#: Some 40 KB each, measured.
STREAMS_PER_PROCESS = 2000
_LATER = {"Retry-After": "60"}


class Listeners:
    """All streams of a process. One event loop."""

    def __init__(self) -> None:
        self._mailboxes: dict[int | None, set[Mailbox]] = {}
        self._streams: Counter[int] = Counter()  # by associate id of the caller

    @property
    def audiences(self) -> set[int | None]:
        """Whose tasks somebody hears of; None = everybody's."""
        return set(self._mailboxes)

    def require_room(self, caller: int) -> None:
        """Hold that a caller may open one more stream.

        Raises:
            TooManyRequests: The caller has as many as anybody may.
            Unavailable: The process has.
        """
        if self._streams[caller] >= STREAMS_PER_USER:
            raise TooManyRequests(
                f"you have {STREAMS_PER_USER} live streams open, as many as one user may: close some pages", _LATER
            )
        if self._streams.total() >= STREAMS_PER_PROCESS:
            raise Unavailable(
                "this server has as many live streams as it can serve: ask for tasks now and then instead", _LATER
            )

    @contextmanager
    def joined(self, audience: int | None, caller: int) -> Iterator[Mailbox]:
        """Give a mailbox that is there for as long as the context lasts.

        Args:
            audience: An associate id, or None for everybody's tasks.
            caller: Associate id of whoever listens.
        """
        mailbox = Mailbox(audience)
        self._mailboxes.setdefault(audience, set()).add(mailbox)
        self._streams[caller] += 1
        try:
            yield mailbox
        finally:
            self._streams -= Counter({caller: 1})  # which drops whoever has none left
            self._mailboxes[audience].discard(mailbox)
            if not self._mailboxes[audience]:
                del self._mailboxes[audience]

    def of(self, owner: int) -> Iterator[Mailbox]:
        """Yield the mailboxes that hear of an owner's tasks."""
        yield from self._mailboxes.get(owner, ())
        yield from self._mailboxes.get(None, ())

    def hear_of(self, owner: int) -> bool:
        """Tell whether anybody hears of an owner's tasks."""
        return owner in self._mailboxes or None in self._mailboxes

    def all(self) -> list[Mailbox]:
        """Return every mailbox."""
        return [mailbox for same in self._mailboxes.values() for mailbox in same]
