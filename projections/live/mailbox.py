"""What one stream has yet to say: the newest view of each task, so a slow reader skips news, but never an end."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from batchtask.http.bounded import BoundedDict
from batchtask.http.views import OPEN_STATES, TaskView
from batchtask.identifiers import TaskId

#: Tasks with news that a reader may leave waiting; one that lets more pile up is sent away, and comes back for all.
#: More than any stream begins with.
MOST_WAITING = 1000
#: Tasks of which a stream knows what it said; of older ones it may say the same again, which clients ignore.
MOST_KNOWN = 1000


class LiveView(TaskView, frozen=True, kw_only=True):
    """A task as streams show it."""

    told: bool | None  #: whether its owner was told of its end; null while it is open


class Letter(msgspec.Struct, frozen=True):
    """A view on its way to a stream; the bytes are made once for all streams that get it."""

    task_id: TaskId
    version: int
    is_open: bool
    content: bytes  #: a whole event of the stream

    @classmethod
    def of(cls, view: LiveView, cursor: str = "") -> Letter:
        """Make the letter of a view.

        Args:
            view: What it says.
            cursor: Of the time the row was read; empty = a client that loses the stream now goes on from where it
                was before.
        """
        content = event("task", view, cursor)
        return cls(TaskId(view.id), view.version, view.state in OPEN_STATES, content)


def event(name: str, data: object, cursor: str = "") -> bytes:
    """Write one event of a stream; `data` becomes JSON, which is one line."""
    place = f"id: {cursor}\n" if cursor else ""
    return f"event: {name}\n{place}data: ".encode() + msgspec.json.encode(data) + b"\n\n"


class Mailbox:
    """Of one stream. One event loop.

    Args:
        audience: Whose tasks it hears of: an associate id, or None for everybody's.
    """

    def __init__(self, audience: int | None) -> None:
        self.audience = audience
        self._waiting: OrderedDict[TaskId, Letter] = OrderedDict()
        self._known: BoundedDict[TaskId, tuple[int, bool]] = BoundedDict(MOST_KNOWN)
        self._news = asyncio.Event()
        self._since = datetime.max.replace(tzinfo=UTC)  # what changed before was said at the beginning, or is no news
        self.closed = False  #: nothing will come any more: end the stream, its client comes back

    def begin(self, letters: Iterable[Letter], since: datetime) -> None:
        """Put what the stream begins with before whatever was heard since it joined.

        Args:
            letters: Without cursors: whoever loses the stream among them has to begin again.
            since: What changed later may be missing among them; before this call no rescan finds it missed.
        """
        early = list(self._waiting)
        for letter in letters:
            self.put(letter)
        for task_id in early:
            if task_id in self._waiting:
                self._waiting.move_to_end(task_id)
        self._since = since

    def put(self, letter: Letter) -> None:
        """Add a view, unless the stream has said as much; it takes the place of an older one that still waits."""
        if self.closed or not self.wants(letter.task_id, letter.version):
            return
        self._known[letter.task_id] = (letter.version, letter.is_open)
        self._waiting[letter.task_id] = letter
        # To the end, so that cursors rise: whoever resumes at one has heard of everything before it.
        self._waiting.move_to_end(letter.task_id)
        self._news.set()
        if len(self._waiting) > MOST_WAITING:
            self.close()

    def wants(self, task_id: TaskId, version: int) -> bool:
        """Tell whether a version of a task would be news."""
        known = self._known.get(task_id)
        return known is None or known[0] < version

    def has_missed(self, task_id: TaskId, version: int, updated: datetime) -> bool:
        """Tell whether a row that a rescan found is news: it goes on from what was said, or changed since."""
        return self.wants(task_id, version) and (task_id in self._known or updated >= self._since)

    def open_tasks(self) -> list[TaskId]:
        """Return the tasks that are open as far as this stream has said."""
        return [task_id for task_id, (_, is_open) in self._known.items() if is_open]

    def close(self) -> None:
        """End the stream, as soon as its reader has a look."""
        self.closed = True
        self._waiting.clear()
        self._news.set()

    async def take(self, seconds: float) -> Sequence[bytes]:
        """Take out the events that wait; none after so many seconds, or when the mailbox is closed."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return ()
        if not self.closed:
            self._news.clear()
        contents = [letter.content for letter in self._waiting.values()]
        self._waiting.clear()
        return contents
