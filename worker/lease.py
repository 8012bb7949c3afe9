"""What a worker holds while it works on a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId
from batchtask.messages import SubmitTask


@dataclass
class Lease:
    """The right to work on one task, as long as no higher fence is handed out."""

    command: SubmitTask
    attempt: int
    fence: int
    version: int  #: last version of the stream that this worker has seen; rises with what it records
    news: list[RecordedEvent]  #: what the claim wrote
    limit_seconds: float | None  #: the hard limit; None = unlimited
    held: bool = True  #: the delivery stays unacknowledged until the outcome is recorded
    checkpoint: dict[str, Any] | None = None  #: what an earlier attempt kept
    traceparent: str | None = None  #: of whoever submitted
    cancel_requested: bool = False  #: stands in the stream up to `version`: what the outcome means depends on it
    cancel_forced: bool = False  #: and whoever asked wants the task killed
    over: bool = False  #: its outcome stands in the stream, and nothing more may follow under it

    @property
    def task_id(self) -> TaskId:
        return self.command.id

    def follow(self, version: int) -> None:
        """Take in that the attempt's own child has appended: what comes next need not look at the stream first.

        Only if nothing stands in between: what the worker has not read may be a wish to cancel.
        """
        if version == self.version + 1:
            self.version = version


@dataclass(frozen=True)
class Refused:
    """A claim that was not granted. The delivery has done its work: settle it."""

    reason: str
    news: list[RecordedEvent]  #: to be announced again, for whoever missed it


@dataclass(frozen=True)
class LastChance:
    """A claim that is granted only to run alone. Nothing was written: if the worker dies now, it costs nothing."""


ClaimAnswer = Lease | Refused | LastChance
