"""The hub: hears which tasks change, reads their rows, and puts what it read into the mailboxes of those who listen.

A change that was heard stays pending until the row has it: what is shown is the row, never a guess. A rescan now and
then finds what nobody heard of. While nobody listens, nothing is heard and nothing is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from batchtask.clock import DatabaseClock
from batchtask.errors import BatchTaskError
from batchtask.http.bounded import BoundedDict
from batchtask.http.problems import Unavailable
from batchtask.identifiers import TaskId
from projections.live.ear import Ear
from projections.live.listeners import Listeners
from projections.live.mailbox import Letter, Mailbox
from projections.live.reads import LiveReads, Place
from projections.task_views import TaskViews

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

#: Between two reads; news of one task that come closer together are shown as one.
ROUND_SECONDS = 0.15
#: A row that has not got there by then never will, or the rescan finds it.
PENDING_SECONDS = 10.0
#: What no message told of is noticed so late: what reconciler and scheduler do, and what was lost on the way.
RESCAN_SECONDS = 20.0
#: By then a row has what was heard before its owner listened, unless the projections are far behind.
SETTLED_SECONDS = 1.0
#: After the last listener has gone; most of them come back at once, from another page.
LINGER_SECONDS = 10.0
#: Rows looked up in one read; the rest waits for the next round.
PAGE = 1000
#: Changes that may be pending; of more, the rescan finds what listeners know as open.
MOST_PENDING = 50_000
#: Tasks whose owner is remembered, so that those of strangers cost no second look.
MOST_OWNERS = 20_000
#: A row that changed so long before a stream began may have been written after it looked.
LAG = timedelta(seconds=5)
#: Rows are stamped before they are written, and not by this process: a stream goes on from so long before its cursor.
OVERLAP = timedelta(seconds=60)


@dataclass
class _Pending:
    version: int  # that the row shall have
    until: float  # by the loop's clock


class Hub:
    """One per process and event loop.

    Args:
        amqp_url: Of the broker.
        engine: The database.
        views: Reads what is shown.
    """

    def __init__(self, amqp_url: str, engine: Engine, views: TaskViews) -> None:
        self._reads = LiveReads(engine, views)
        self._clock = DatabaseClock(engine)
        self._ear = Ear(amqp_url, self.note, self._missed)
        self._listeners = Listeners()
        self._pending: dict[TaskId, _Pending] = {}
        self._owners: BoundedDict[TaskId, int] = BoundedDict(MOST_OWNERS)
        self._wake = asyncio.Event()
        self._rescan_at = 0.0
        self._empty_since = 0.0
        self._trouble = ""
        self._ended = False

    @contextmanager
    def joined(self, audience: int | None, caller: int) -> Iterator[Mailbox]:
        """Give a mailbox that gets every change of an audience's tasks for as long as the context lasts.

        Args:
            audience: An associate id, or None for everybody's tasks.
            caller: Associate id of whoever listens.
        """
        with self._listeners.joined(audience, caller) as mailbox:
            self._wake.set()
            try:
                yield mailbox
            finally:
                self._empty_since = asyncio.get_running_loop().time()

    def require_room(self, caller: int) -> None:
        """Hold that a caller may open one more stream.

        Raises:
            TooManyRequests, Unavailable: As of `Listeners.require_room`; or this process tells no news any more.
        """
        if self._ended:
            # A stream that says nothing for ever would look like one in which nothing changes.
            raise Unavailable("live updates have ended in this process, its log says why: ask for tasks now and then")
        self._listeners.require_room(caller)

    async def begin(self, mailbox: Mailbox, cursor: str) -> str:
        """Put what a stream begins with into its mailbox, and return the cursor to go on from.

        Args:
            mailbox: Of the stream.
            cursor: Of the last thing that the client heard; anything else begins from the start.

        Raises:
            StoreUnavailable: It cannot be read now.
        """
        await _seen_through(self._clock.sync)
        now = self._cursor()
        since = self._clock.now() - LAG
        views = await _seen_through(self._reads.beginning, mailbox.audience, _resumed(cursor))
        mailbox.begin([Letter.of(view) for view in views], since)
        # A change that was heard before anybody listened may not have reached its row yet.
        self._rescan_within(SETTLED_SECONDS)
        return now

    def note(self, task_id: TaskId, version: int, owner: int | None = None) -> None:
        """Note that a task changes, and see to it that those who hear of it get the row once it has that version."""
        if owner is not None:
            self._owners[task_id] = owner
        else:
            owner = self._owners.get(task_id)
        if owner is not None and not self._listeners.hear_of(owner):
            return
        until = asyncio.get_running_loop().time() + PENDING_SECONDS
        pending = self._pending.get(task_id)
        if pending is not None:
            pending.version, pending.until = max(version, pending.version), until
        elif len(self._pending) < MOST_PENDING:
            self._pending[task_id] = _Pending(version, until)
            self._wake.set()

    async def run(self) -> None:
        """Serve until cancelled; in the end all streams end."""
        try:
            while True:
                if self._is_deserted():
                    await self._ear.close()
                    self._pending.clear()
                    await self._listener_comes()
                    self._ear.open()
                await self._round()
                await self._pause()
        finally:
            self._ended = True
            self.close()
            await self._ear.close()

    def close(self) -> None:
        """End all streams."""
        for mailbox in self._listeners.all():
            mailbox.close()

    def _is_deserted(self) -> bool:
        """Tell whether nobody has listened for long enough."""
        waited = asyncio.get_running_loop().time() - self._empty_since
        return not self._listeners.audiences and (waited > LINGER_SECONDS or not self._empty_since)

    async def _listener_comes(self) -> None:
        while not self._listeners.audiences:
            self._wake.clear()
            await self._wake.wait()

    def _missed(self) -> None:
        self._rescan_within(0)

    def _rescan_within(self, seconds: float) -> None:
        self._rescan_at = min(self._rescan_at, asyncio.get_running_loop().time() + seconds)
        self._wake.set()

    async def _round(self) -> None:
        """Read what is pending, and look for what nobody heard of when it is time to."""
        try:
            if asyncio.get_running_loop().time() >= self._rescan_at:
                await self._rescan()
            await self._bring()
        except (BatchTaskError, SQLAlchemyError) as error:
            # Nothing is lost: what is pending stays so, and the rescan sees the rest once the database is back.
            self._say(str(error))
            self._rescan_at = 0.0
            await asyncio.sleep(1)
        else:
            self._say("")

    async def _pause(self) -> None:
        """Let news gather; wait for the next ones when none are pending."""
        await asyncio.sleep(ROUND_SECONDS)
        if self._pending:
            return
        self._wake.clear()
        left = self._rescan_at - asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._wake.wait()

    async def _rescan(self) -> None:
        self._rescan_at = asyncio.get_running_loop().time() + RESCAN_SECONDS
        audiences = self._listeners.audiences
        known = {task_id for mailbox in self._listeners.all() for task_id in mailbox.open_tasks()}
        found = await _seen_through(self._look, audiences, known)
        for task_id, version, owner, updated in found:
            if any(mailbox.has_missed(task_id, version, updated) for mailbox in self._listeners.of(owner)):
                self.note(task_id, version, owner)

    def _look(self, audiences: Collection[int | None], known: Collection[TaskId]) -> set[Place]:
        self._clock.sync()
        owners = [owner for owner in audiences if owner is not None]
        found = {*self._reads.newest(owners), *self._reads.places(list(known))}
        return {*found, *self._reads.newest(None)} if None in audiences else found

    async def _bring(self) -> None:
        """Read those rows that are pending, and that somebody listens to, and send what is new."""
        now = asyncio.get_running_loop().time()
        page = [task_id for task_id, _ in zip(self._pending, range(PAGE), strict=False)]
        if not page:
            return
        cursor = self._cursor()
        wanted = []
        for task_id, version, owner, _ in await _seen_through(self._reads.places, page):
            self._owners[task_id] = owner
            if any(mailbox.wants(task_id, version) for mailbox in self._listeners.of(owner)):
                wanted.append(task_id)
            if not self._listeners.hear_of(owner) or version >= self._pending[task_id].version:
                del self._pending[task_id]
        if wanted:
            for view in await _seen_through(self._reads.views, wanted):
                letter = Letter.of(view, cursor)
                for mailbox in self._listeners.of(view.owner):
                    mailbox.put(letter)
        self._put_back(page, now)

    def _put_back(self, page: Sequence[TaskId], now: float) -> None:
        """Let others have their turn before those whose rows lag behind; forget whom no row came for."""
        for task_id in page:
            pending = self._pending.pop(task_id, None)
            if pending is not None and pending.until > now:
                self._pending[task_id] = pending

    def _cursor(self) -> str:
        return str(int(self._clock.now().timestamp() * 1e6))

    def _say(self, trouble: str) -> None:
        if trouble and not self._trouble:
            logger.warning("live updates stand still", extra={"reason": trouble})
        elif self._trouble and not trouble:
            logger.info("live updates go on")
        self._trouble = trouble


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    """Run a hub for as long as the context lasts."""
    task = asyncio.create_task(hub.run(), name="live hub")
    task.add_done_callback(_log_end)
    try:
        yield hub
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _seen_through(read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Read in a thread; whoever is cancelled waits for its end, so that no connection outlives the engine."""
    reading = asyncio.create_task(asyncio.to_thread(read, *args, **kwargs))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        await asyncio.wait({reading})
        raise


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        logger.error("live updates ended", exc_info=task.exception())


def _resumed(cursor: str) -> datetime | None:
    """Read a cursor that a client brought; None when it is none of ours."""
    try:
        return datetime.fromtimestamp(int(cursor) / 1e6, UTC) - OVERLAP
    except (ValueError, OverflowError, OSError):
        return None
