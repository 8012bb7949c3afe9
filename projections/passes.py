"""Passes of the reconciler: the small one that every projections process makes all the time, and the full one.

That a queued task's message is gone cannot be seen, only inferred: nothing was ready in the tasks' queue at a moment
after the task was queued, so a worker had its message in hand, or nobody; and some time later no worker has claimed
it. While the queue is never empty, a lost message in it stays hidden; the full pass can be told to do without
evidence. Wrong inferences cost a message more, which the claim refuses.

That a lease ran out is looked at twice, too: when the database was frozen or out of everybody's reach, whoever lives
says so soon after it answers again, and the reconciler must not be faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice

import msgspec
from sqlalchemy import Connection, Engine

from batchtask.database import database_errors
from batchtask.identifiers import TaskId
from batchtask.pausing import standing
from batchtask.task_flags import remove_flags_that_are_over
from projections import drift
from projections.drift import Look
from projections.reconcile import Reconciler, Repair
from projections.rows import State

#: Between a publish and the event that says so, in either order; far more than was ever seen. A guess.
PUBLISH_MARGIN_SECONDS = 2.0
#: Within this a worker that was given a message claims its task or gives it back, and one that lives renews its
#: leases once the database answers. A guess. A last chance may wait longer: that costs a message more.
WATCH_SECONDS = 10.0
#: Noted in one pass; the next one goes on.
MOST_SUSPECTS = 50_000
#: Open rows in each state that one background pass looks at; measured: some 20 µs for each.
SMALL_PAGE = 2000
#: The first pass of a process looks at what was recorded in this time before.
FIRST_SPAN_SECONDS = 300.0
#: Events turn up with the commit of their transaction: seen late, they must not be passed over.
OVERLAP_SECONDS = 10.0


@dataclass(frozen=True)
class _Suspect:
    version: int
    noted_at: float  #: by the monotonic clock


@dataclass
class Suspects:
    """Tasks that look wrong, until enough time has passed for whoever is alive to prove the opposite."""

    _noted: dict[TaskId, _Suspect] = field(default_factory=dict)

    def note(self, looks: Iterable[Look], at: float) -> None:
        """Suspect tasks since a time of the monotonic clock, or still since an earlier one."""
        for look in looks:
            noted = self._noted.get(look.task_id)
            if noted is None or noted.version != look.version:
                self._noted[look.task_id] = _Suspect(look.version, at)

    def forget(self) -> None:
        """Suspect nobody any more."""
        self._noted.clear()

    def confirmed(self, connection: Connection, seconds: float) -> list[Look]:
        """Take out the tasks suspected for long enough, and return those to which nothing happened since."""
        until = time.monotonic() - seconds
        due = {task_id: suspect for task_id, suspect in self._noted.items() if suspect.noted_at <= until}
        for task_id in due:
            del self._noted[task_id]
        pages = (list(due)[start : start + drift.PAGE] for start in range(0, len(due), drift.PAGE))
        looks = chain.from_iterable(drift.looks(connection, page) for page in pages)
        return [look for look in looks if look.version == due[look.task_id].version]


class BackgroundPass:
    """Looks at what can have come apart lately, and at a page of the rest. One thread; remembers where it was.

    Args:
        engine: The database.
        reconciler: Puts right what is found.
        heartbeat_seconds: How often a running attempt is heard of, if it is alive.
        grace_seconds: News younger than this may still be on their way.
    """

    def __init__(
        self, engine: Engine, reconciler: Reconciler, *, heartbeat_seconds: float, grace_seconds: float
    ) -> None:
        self._engine = _statements(engine)
        self._reconciler = reconciler
        self._heartbeat_seconds = heartbeat_seconds
        self._grace_seconds = grace_seconds
        self._seen_until: datetime | None = None
        self._places = {State.New: 0, State.Started: 0}  # the last number looked at
        self._silent, self._unclaimed = Suspects(), Suspects()

    def run(self, empty_at: float | None) -> list[Repair]:
        """Make one pass and return what was repaired.

        Args:
            empty_at: When nothing was ready in the tasks' queue, by the monotonic clock; None = there was, or it is
                not known.

        Raises:
            StoreUnavailable: The next pass goes on.
        """
        repairs = self._project()
        with database_errors(), self._engine.connect() as connection:
            silent = self._silent.confirmed(connection, min(WATCH_SECONDS, self._heartbeat_seconds))
            self._silent.note(self._expired(connection), time.monotonic())
            remove_flags_that_are_over(connection)
            if standing(connection) is not None:
                # Workers gave back what had not begun: it is queued again, and nobody is going to claim it.
                self._unclaimed.forget()
            elif empty_at is not None:
                self._unclaimed.note(islice(_queued(connection, empty_at), MOST_SUSPECTS), empty_at)
            gone = self._unclaimed.confirmed(connection, WATCH_SECONDS)
        return [*repairs, *self._reconciler.expire(silent), *self._reconciler.queue_again(gone)]

    def _expired(self, connection: Connection) -> list[Look]:
        return self._reconciler.expired(_quiet(connection, self._heartbeat_seconds))

    def _project(self) -> list[Repair]:
        with database_errors(), self._engine.connect() as connection:
            until = drift.database_time(connection, ago_seconds=self._grace_seconds)
            since = self._seen_until or until - timedelta(seconds=FIRST_SPAN_SECONDS)
            recent = drift.recently_behind(connection, since=since, until=until)
            pages = {state: self._page(connection, state) for state in self._places}
        behind = drift.behind(chain.from_iterable(pages.values()), quiet_seconds=self._grace_seconds)
        repairs = self._reconciler.project(recent | behind)
        for state, page in pages.items():
            self._places[state] = page[-1].number if len(page) == SMALL_PAGE else 0
        if len(recent) < drift.PAGE:
            self._seen_until = until - timedelta(seconds=OVERLAP_SECONDS)
        return repairs

    def _page(self, connection: Connection, state: State) -> list[Look]:
        return drift.rows(connection, after=self._places[state], state=state, limit=SMALL_PAGE)


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What a full pass found, and how many tasks are in which state after it; each task is in one of them."""

    queued: int
    waiting: int
    running: int
    finished: int
    dead: int
    overdue: int  #: of the waiting ones: due for longer than a minute, and nobody published them
    outbox: int  #: submissions that a relay has yet to publish
    schedules: int
    unproved: int = 0  #: of the queued ones: their message may be gone for all we know
    ready_messages: int | None = None  #: that waited in the tasks' queue; None = not asked, or the broker did not say
    repairs: list[Repair] = []


class FullPass:
    """Looks at every row and every stream once, and puts right what is wrong.

    Args:
        engine: The database.
        reconciler: Puts right what is found.
        heartbeat_seconds: As of `BackgroundPass`.
        grace_seconds: As of `BackgroundPass`.
    """

    def __init__(
        self, engine: Engine, reconciler: Reconciler, *, heartbeat_seconds: float, grace_seconds: float
    ) -> None:
        self._engine = _statements(engine)
        self._reconciler = reconciler
        self._heartbeat_seconds = heartbeat_seconds
        self._grace_seconds = grace_seconds

    def run(self, ready: Callable[[], int | None], *, publish_all: bool = False) -> Reconciled:
        """Make the pass; takes some seconds longer when queued tasks have to be watched.

        Args:
            ready: Counts the messages ready in the tasks' queue; None = that is not known.
            publish_all: Publish every queued task again, without evidence that its message is gone.

        Raises:
            StoreUnavailable: Some may have been repaired; run it again.
        """
        with database_errors(), self._engine.connect() as connection:
            repairs = self._project(connection)
            expired = self._reconciler.expired(_quiet(connection, self._heartbeat_seconds))
            asked_at = time.monotonic()
            ready_messages = None if publish_all else ready()
            queued = list(_queued(connection, asked_at))
            watched = queued if ready_messages == 0 else []
            lasting = _watch(connection, [*expired, *watched])
            repairs += self._reconciler.expire(lasting)
            repairs += self._reconciler.queue_again(queued if publish_all else lasting)
            counts = drift.counts(connection)
        unproved = 0 if publish_all else len(queued) - len(watched)
        return Reconciled(repairs=repairs, unproved=unproved, ready_messages=ready_messages, **counts)

    def _project(self, connection: Connection) -> list[Repair]:
        repairs: list[Repair] = []
        until = drift.database_time(connection, ago_seconds=self._grace_seconds)
        for behind in drift.without_row(connection, until=until):
            repairs += self._reconciler.project(behind)
        for page in drift.pages(lambda after: drift.rows(connection, after=after)):
            repairs += self._reconciler.project(drift.behind(page, quiet_seconds=self._grace_seconds))
        return repairs


def _statements(engine: Engine) -> Engine:
    """Each look is a statement of its own: between two of them the server shall not keep a transaction waiting."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _watch(connection: Connection, looks: Sequence[Look]) -> list[Look]:
    """Wait for whoever is alive to prove it, and return the tasks to which nothing happened."""
    suspects = Suspects()
    suspects.note(looks, time.monotonic())
    if looks:
        time.sleep(WATCH_SECONDS)
    return suspects.confirmed(connection, WATCH_SECONDS)


def _quiet(connection: Connection, quiet_seconds: float) -> list[Look]:
    """Every task that runs by its row and was not heard of for this long."""
    pages = drift.pages(lambda after: drift.quiet_attempts(connection, quiet_seconds=quiet_seconds, after=after))
    return list(chain.from_iterable(pages))


def _queued(connection: Connection, empty_at: float) -> Iterator[Look]:
    """The tasks whose messages were published before a moment of the monotonic clock."""
    quiet_seconds = time.monotonic() - empty_at + PUBLISH_MARGIN_SECONDS
    pages = drift.pages(lambda after: drift.queued(connection, quiet_seconds=quiet_seconds, after=after))
    return chain.from_iterable(pages)
