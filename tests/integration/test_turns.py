"""Runs of some definitions never overlap and keep a distance, whichever worker claims and whoever dies."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine, select, text

from batchtask.definition_rows import save_definitions
from batchtask.definitions import TaskContext, TaskDefinition, task
from batchtask.events import AttemptLost, AttemptStarted, CheckpointSaved, ProgressReported, TaskDeferred
from batchtask.identifiers import TaskId
from batchtask.intentions import Claim, RequestCancel
from batchtask.messages import SubmitTask
from batchtask.outcomes import Interrupted, Outcome, Passed, Succeeded
from batchtask.store import Append, EventStore, first_event
from batchtask.tables import batchtask
from projections.grants import Grants
from projections.projector import Projector
from projections.releases import Releases
from tests.desks import BEGAN, Desks, claim_request, command, kinds, somebody_decides
from worker.claims import ClaimRequest
from worker.lease import Lease, Refused
from worker.turns import LOOK_AGAIN_SECONDS, Distance

NUMBERS = count(1)
SECOND = timedelta(seconds=1)
HOUR = 3600


class Office:
    """One definition whose runs never overlap, with two workers and a clock that stands until it is told to go on."""

    def __init__(self, engine: Engine, start_interval: int, minimum_sleep_time: int) -> None:
        @task(f"turns-{next(NUMBERS)}", start_interval=start_interval, minimum_sleep_time=minimum_sleep_time)
        def definition(context: TaskContext) -> None:
            """Take turns."""

        self.definition: TaskDefinition = definition
        self.distance = Distance(start_interval, minimum_sleep_time)
        self.engine = engine
        self.store = EventStore(engine)
        self.now = BEGAN
        self.first, self.second = Desks(self.store, "host/1"), Desks(self.store, "host/2")
        for desks in (self.first, self.second):
            desks.journal._claims._now = lambda: self.now
            desks.journal._records._now = lambda: self.now
        save_definitions(engine, [definition])

    def submit(self, **fields: object) -> SubmitTask:
        return command(name=self.definition.name, **fields)  # type: ignore[arg-type]

    def request(self, wanted: SubmitTask, message_id: str = "m1", **changes: object) -> ClaimRequest:
        from dataclasses import replace

        return replace(claim_request(wanted, message_id), turn=self.distance, **changes)  # type: ignore[arg-type]

    def claim(
        self, wanted: SubmitTask, desks: Desks | None = None, message_id: str = "m1", **changes: object
    ) -> Lease | Refused:
        [answer] = (desks or self.first).journal.write([self.request(wanted, message_id, **changes)])
        assert isinstance(answer, Lease | Refused)
        return answer

    def run(self, wanted: SubmitTask, outcome: Outcome | None = None) -> None:
        lease = self.claim(wanted)
        assert isinstance(lease, Lease)
        self.first.record(lease, outcome or Succeeded())

    def deferred_until(self, wanted: SubmitTask) -> datetime:
        event = self.store.load(wanted.id)[-1].body
        assert isinstance(event, TaskDeferred)
        assert event.reason == "Waiting for its turn"
        return event.due_at

    def project(self, *wanted: SubmitTask) -> None:
        for events in self.store.load_many({one.id: -1 for one in wanted}).values():
            Projector(self.engine).project(events)

    def release(self) -> set[TaskId]:
        """What schedulers publish by now; of other tests' tasks nothing is waiting."""
        released: list[TaskId] = []

        def publish(messages: Sequence[object]) -> Sequence[int]:
            released.extend(TaskId(message.message_id) for message in messages)  # type: ignore[attr-defined]
            return ()

        Releases(self.engine, Projector(self.engine), publish).release_due(Grants(self.engine).grant_due())
        return {TaskId(type(BEGAN) and one) for one in released}
