"""Claims and records of one moment, in one statement and one commit. Synchronous; runs in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from batchtask import signal_points
from batchtask.errors import StoreBusy
from batchtask.identifiers import TaskId
from batchtask.store import EventStore
from worker.claims import ClaimDesk, ClaimRequest
from worker.lease import ClaimAnswer
from worker.records import RecordDesk, Recorded, RecordRequest

Request = ClaimRequest | RecordRequest
Answer = ClaimAnswer | Recorded


class Journal:
    """Appends for both desks at once: half the statements and half the waits for the disk.

    Args:
        store: Where the streams are.
        worker: This worker's name in the streams: `host/process/boot id`.
        now: The clock.
    """

    def __init__(self, store: EventStore, worker: str, now: Callable[[], datetime]) -> None:
        self._store = store
        self._claims = ClaimDesk(store, worker, now)
        self._records = RecordDesk(store, now)

    def write(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        """Carry out claims and records; for each its answer, in order.

        The commit of this is what makes an outcome true. A crash before it leads to another attempt. `StoreBusy` is
        the answer to those whose streams somebody else has locked for long; the others do not wait with them.

        Raises:
            StoreUnavailable: Not known what was written; writing again finds out.
        """
        try:
            return self._write_together(requests)
        except StoreBusy as busy:
            return [busy] if len(requests) == 1 else self._write_each(requests)

    def _write_each(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        """Carry out one after the other, records first: whoever runs must not seem to be dead."""
        answers: dict[int, Answer | Exception] = {}
        locked: dict[TaskId, Exception] = {}
        for request in sorted(requests, key=lambda one: isinstance(one, ClaimRequest)):
            task_id = _task_id(request)
            [answer] = [locked[task_id]] if task_id in locked else self.write([request])
            if isinstance(answer, StoreBusy):
                locked[task_id] = answer
            answers[id(request)] = answer
        return [answers[id(request)] for request in requests]

    def _write_together(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        claims = [request for request in requests if isinstance(request, ClaimRequest)]
        try:
            answers = self._write(requests, claims)
        except BaseException:
            self._claims.broke_off(claims)
            raise
        self._claims.answered(claims, answers)
        return answers

    def _write(self, requests: Sequence[Request], claims: Sequence[ClaimRequest]) -> list[Answer | Exception]:
        records = [request for request in requests if isinstance(request, RecordRequest)]
        plain = self._records.plain(records)
        tries = self._claims.first_tries(claims)
        # A claim of a task that records at this moment is a redelivery; it looks at the stream afterwards.
        waiting = {append.task_id for append in tries.appends if append.task_id in plain.requests}
        appends = [*plain.appends, *(append for append in tries.appends if append.task_id not in waiting)]
        signal_points.reached("journal.writing")
        refused = self._store.append_many(appends, ensure=tries.ensure)
        signal_points.reached("journal.written")
        # Records first: what they end, the claims then find ended.
        recorded = iter(self._records.answers(records, plain, refused))
        claimed = iter(self._claims.answers(claims, tries, refused | waiting))
        return [next(recorded) if isinstance(request, RecordRequest) else next(claimed) for request in requests]


def _task_id(request: Request) -> TaskId:
    return request.command.id if isinstance(request, ClaimRequest) else request.lease.task_id
