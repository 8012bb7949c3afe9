"""Claims and records of one moment, in one statement and one commit. Synchronous; runs in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from batchtask.store import EventStore
from worker.claims import ClaimDesk, ClaimRequest
from worker.lease import Lease, Refused
from worker.records import RecordDesk, Recorded, RecordRequest

Request = ClaimRequest | RecordRequest
Answer = Lease | Refused | Recorded


class Journal:
    """Appends for both desks at once: under load that halves the statements and the waits for the disk.

    Args:
        store: Where the streams are.
        claims: Decides on claims.
        records: Decides on outcomes, progress and heartbeats.
    """

    def __init__(self, store: EventStore, claims: ClaimDesk, records: RecordDesk) -> None:
        self._store = store
        self._claims = claims
        self._records = records

    def write(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        """Carry out claims and records; for each its answer, in order.

        Raises:
            StoreUnavailable: Not known what was written; writing again finds out.
        """
        records = [request for request in requests if isinstance(request, RecordRequest)]
        claims = [request for request in requests if isinstance(request, ClaimRequest)]
        plain = self._records.plain(records)
        tries = self._claims.first_tries(claims)
        # A claim of a task that records at this moment is a redelivery; it looks at the stream afterwards.
        appends = [append for append in tries.appends if append.task_id not in plain]
        waiting = {append.task_id for append in tries.appends if append.task_id in plain}
        refused = self._store.append_many([*plain.values(), *appends], ensure=tries.ensure)
        # Records first: what they end, the claims then find ended.
        recorded = iter(self._records.answers(records, plain, refused))
        claimed = iter(self._claims.answers(claims, tries, refused | waiting))
        return [next(recorded) if isinstance(request, RecordRequest) else next(claimed) for request in requests]
