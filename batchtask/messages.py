"""Commands: requests that travel on the broker and may be refused. Nothing but names and fields."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from batchtask.identifiers import BatchId, TaskId

#: What PostgreSQL's column types hold; a value outside is refused on reading, before a database sees it.
Int16 = Annotated[int, msgspec.Meta(ge=-(2**15), lt=2**15)]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]
#: At their very ends Python's and PostgreSQL's calendars differ: one such time and a table can be read no more.
FIRST_YEAR, LAST_YEAR = 2, 9998
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]


class SubmitTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Please carry out this task."""

    task_id: UUID  #: chosen by the caller; submitting twice with one id makes one task
    name: Name  #: of the task definition
    submitted_at: AwareDatetime  #: by the submitter's clock, aware UTC
    parameters: dict[str, Any] = {}  #: fits the definition's schema; empty when `payload_ref` is set
    payload_ref: str | None = None  #: where parameters over 64 KiB lie, a URL that workers can read
    owner: Int32 = 0  #: associate id of the user who asked; 0 = system task
    description: str = ""  #: what the user reads beside the progress bar
    request: str = ""  #: the original's `request` column: a short instruction in words
    database_tag: str = ""  #: the original's `dbTag`: tag of the database that the task belongs to
    details_table: Int16 | None = None  #: table number of the row with more detail
    details_record: Int32 | None = None  #: id of that row
    batch_id: UUID | None = None  #: what was submitted together
    correlation_id: UUID | None = None  #: the whole conversation; None = this task began it
    start_at: AwareDatetime | None = None  #: not before this time; None = as soon as possible
    cancellation: Annotated[int, msgspec.Meta(ge=0, le=2)] = 0  #: `CancellationBehaviour` of the definition
    schedule: str = ""  #: name of the schedule that submitted it

    def __post_init__(self) -> None:
        require_storable_time(self.submitted_at)
        if self.start_at is not None:
            require_storable_time(self.start_at)

    @property
    def id(self) -> TaskId:
        return TaskId(self.task_id)

    @property
    def batch(self) -> BatchId | None:
        return BatchId(self.batch_id) if self.batch_id else None


class CancelTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Please stop this task: at once when it waits, at its next safe point when it runs, or by force."""

    task_id: UUID
    requested_at: AwareDatetime
    requested_by: Int32 = 0  #: associate id; 0 = system
    reason: str = ""
    force: bool = False  #: kill what runs, also a task that says it cannot be cancelled

    @property
    def id(self) -> TaskId:
        return TaskId(self.task_id)


Command = SubmitTask | CancelTask


def require_storable_time(at: datetime) -> None:
    """Hold that a database keeps a time, and gives it back, in whatever time zone.

    Raises:
        ValueError: It does not.
    """
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"the year {at.year} is out of range")
