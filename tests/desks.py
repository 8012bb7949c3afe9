"""Claims and records in one line each, for tests of who may work on a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from batchtask.errors import StoreUnavailable
from batchtask.events import Event, RecordedEvent
from batchtask.identifiers import TaskId, new_task_id
from batchtask.intentions import Intention, RecordOutcome, Release, Report
from batchtask.messages import SubmitTask
from batchtask.outcomes import Outcome
from batchtask.store import Append, EventStore
from batchtask.task import decide
from worker.claims import ClaimRequest
from worker.journal import Journal
from worker.lease import Lease, Refused
from worker.records import Recorded, RecordRequest

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by a second whenever somebody looks."""
    now = BEGAN

    def tick() -> datetime:
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return tick


def command(task_id: TaskId | None = None, **fields: object) -> SubmitTask:
    values = {"task_id": task_id or new_task_id(), "name": "noop", "submitted_at": BEGAN, **fields}
    return SubmitTask(**values)  # type: ignore[arg-type]


def claim_request(
    wanted: SubmitTask,
    message_id: str = "m1",
    *,
    redelivered: bool = False,
    limit_seconds: float | None = None,
    **more: Any,
) -> ClaimRequest:
    return ClaimRequest(wanted, message_id, redelivered, limit_seconds, **more)


class Desks:
    """The desks of one worker."""

    def __init__(self, store: EventStore, worker: str = "host/1") -> None:
        self.store = store
        self.journal = Journal(store, worker, ticking())

    def claim(self, wanted: SubmitTask, message_id: str = "m1", **more: Any) -> Lease | Refused:
        [answer] = self.journal.write([claim_request(wanted, message_id, **more)])
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Lease | Refused)
        return answer

    def lease(self, wanted: SubmitTask, message_id: str = "m1", **more: Any) -> Lease:
        answer = self.claim(wanted, message_id, **more)
        assert isinstance(answer, Lease)
        return answer

    def record(self, lease: Lease, outcome: Outcome, **more: Any) -> Recorded:
        return self._record(lease, RecordOutcome(fence=lease.fence, outcome=outcome, at=BEGAN, **more))

    def report(self, lease: Lease, report: Report) -> Recorded:
        return self._record(lease, report)

    def _record(self, lease: Lease, intention: RecordOutcome | Report) -> Recorded:
        [answer] = self.journal.write([RecordRequest(lease, intention)])
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Recorded)
        return answer


class AnswersLost(EventStore):
    """A store whose connection breaks after a commit: what was written is there, and nobody was told.

    Args:
        store: Where it is written.
        after: How many appends succeed before that.
    """

    def __init__(self, store: EventStore, *, after: int = 0) -> None:
        super().__init__(store.engine)
        self._left = after

    def append_many(self, appends: Sequence[Append], *, ensure: Iterable[RecordedEvent] = ()) -> set[TaskId]:
        refused = super().append_many(appends, ensure=ensure)
        if appends and not refused:
            self._left -= 1
            if self._left == -1:
                raise StoreUnavailable("the answer was lost")
        return refused


class ReadsBreak(EventStore):
    """A store whose connection breaks at the next look at a stream, once armed."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store.engine)
        self.armed = False

    def load_many(self, after: Mapping[TaskId, int]) -> dict[TaskId, list[RecordedEvent]]:
        if self.armed:
            self.armed = False
            raise StoreUnavailable("the connection broke")
        return super().load_many(after)


def somebody_decides(store: EventStore, task_id: TaskId, intention: Intention) -> None:
    """Append what follows from an intention, as another process does."""
    state = store.state(task_id)
    store.append(Append(task_id, state.version, decide(state, intention), BEGAN))


def release(store: EventStore, task_id: TaskId) -> None:
    """End a task's wait, as the scheduler does when it has published the command."""
    somebody_decides(store, task_id, Release(version=store.state(task_id).version))


def bodies(events: Sequence[RecordedEvent]) -> list[Event]:
    return [event.body for event in events]


def kinds(events: Sequence[RecordedEvent]) -> list[str]:
    return [type(event.body).__name__ for event in events]
