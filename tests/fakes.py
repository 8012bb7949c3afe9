"""Stand-ins that keep the contract of the real thing: what holds for both stands in tests/contract."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from batchtask import upcasters
from batchtask.errors import TaskNotFound, WrongExpectedVersion
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.store import Append, storable
from batchtask.task_state import TaskState, fold


class FakeEventStore:
    """An event store in memory; thread-safe."""

    def __init__(self) -> None:
        self._streams: defaultdict[TaskId, list[RecordedEvent]] = defaultdict(list)
        self._lock = threading.Lock()

    def append(self, append: Append) -> list[RecordedEvent]:
        if self.append_many([append]):
            raise WrongExpectedVersion(str(append.task_id), append.expected_version)
        return append.recorded()

    def append_many(self, appends: Sequence[Append], *, ensure: Iterable[RecordedEvent] = ()) -> set[TaskId]:
        with self._lock:
            for event in ensure:
                if not self._streams[TaskId(event.task_id)]:
                    self._streams[TaskId(event.task_id)].append(as_stored(event))
            return {append.task_id for append in appends if not self._extend(append)}

    def _extend(self, append: Append) -> bool:
        stream = self._streams[append.task_id]
        fits = len(stream) == append.expected_version + 1 or not append.events
        if fits:
            stream += map(as_stored, append.recorded())
        return fits

    def load(self, task_id: TaskId, *, after: int = -1) -> list[RecordedEvent]:
        return self.load_many({task_id: after})[task_id]

    def load_many(self, after: Mapping[TaskId, int]) -> dict[TaskId, list[RecordedEvent]]:
        with self._lock:
            return {task_id: self._streams[task_id][version + 1 :] for task_id, version in after.items()}

    def state(self, task_id: TaskId) -> TaskState:
        state = fold(self.load(task_id))
        if state is None:
            raise TaskNotFound(str(task_id))
        return state

    def streams(self, *, page_size: int = 1000) -> Iterator[dict[TaskId, list[RecordedEvent]]]:
        with self._lock:
            ids = sorted(task_id for task_id, events in self._streams.items() if events)
        for start in range(0, len(ids), page_size):
            yield self.load_many(dict.fromkeys(ids[start : start + page_size], -1))


def as_stored(event: RecordedEvent) -> RecordedEvent:
    """An event as it is read again: without NUL characters."""
    name = upcasters.events.name(event.body)
    data = storable(upcasters.events.encode(event.body)).encode()
    body = upcasters.events.decode(name, upcasters.events.version(name), data)
    return RecordedEvent(event.task_id, event.version, event.occurred_at, body)
