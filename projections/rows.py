"""What events mean for a row of `crm7.batchtask`. Pure; a row is a function of its stream and of nothing else."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from batchtask.events import (
    AttemptFailed,
    AttemptInterrupted,
    AttemptLost,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    HeartbeatRecorded,
    ProgressReported,
    RecordedEvent,
    TaskCancelled,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
)

TEXT_LENGTH = 254
FILE_NAME_LENGTH = 260
TAG_LENGTH = 39
#: `updatedCount` is an unsigned short: it stops here.
LARGEST_COUNT = 65_535


class State(enum.IntEnum):
    """States as the original numbers them; names as its API writes them, spelling included."""

    Unknown = 0
    New = 1
    Aquired = 2
    Started = 3
    Succeeded = 4
    Failed = 5
    SucceededManualCleanup = 6


class Row(msgspec.Struct, kw_only=True):
    """One row; fields are columns, but for `name`, which stands for the definition's id."""

    task_id: UUID
    version: int
    name: str
    description: str
    dbtag: str
    state: int
    detailstable: int | None
    detailsrecord: int | None
    request: str
    response: str
    startcount: int
    laststarted: datetime | None
    progresspercent: int
    progressdescription: str
    registered: datetime
    registered_associate_id: int
    updated: datetime
    updated_associate_id: int
    updatedcount: int
    filename: str | None


def fold_row(row: Row | None, events: Iterable[RecordedEvent]) -> Row | None:
    """Fold events, in stream order without gaps, onto a row, which is changed in place; None for no events."""
    for event in events:
        if isinstance(event.body, TaskSubmitted):
            row = _first(event, event.body)
        elif row is not None:
            _apply(row, event)
            row.version = event.version
            row.updated = event.occurred_at
            row.updatedcount = min(event.version, LARGEST_COUNT)
    return row


def _first(event: RecordedEvent, body: TaskSubmitted) -> Row:
    return Row(
        task_id=event.task_id,
        version=event.version,
        name=body.name,
        description=cut(body.description),
        dbtag=cut(body.database_tag, TAG_LENGTH),
        state=State.New,
        detailstable=body.details_table,
        detailsrecord=body.details_record,
        request=cut(body.request),
        response="",
        startcount=0,
        laststarted=None,
        progresspercent=0,
        progressdescription="",
        registered=event.occurred_at,
        registered_associate_id=body.owner,
        updated=event.occurred_at,
        updated_associate_id=body.owner,
        updatedcount=0,
        filename=None,
    )


def _apply(row: Row, event: RecordedEvent) -> None:
    match event.body:
        case AttemptStarted():
            row.state = State.Started
            row.startcount += 1
            row.laststarted = event.occurred_at
            row.progresspercent = 0
            row.progressdescription = ""
        case ProgressReported(percent=percent, text=text):
            row.progresspercent = percent
            row.progressdescription = cut(text)
        case AttemptFailed() | AttemptTimedOut() | AttemptLost() | AttemptInterrupted():
            row.state = State.New
            row.progressdescription = "Waiting for the next attempt"
        case TaskSucceeded(response=response, file_name=file_name):
            row.state = State.Succeeded
            row.response = cut(response)
            row.filename = cut(file_name, FILE_NAME_LENGTH) if file_name else None
            row.progresspercent = 100
            row.progressdescription = ""
        case TaskFailed(message=message):
            _end_badly(row, message)
        case TaskCancelled(response=response):
            _end_badly(row, f"Stopped on request. {response}".strip())
        case HeartbeatRecorded() | CancelRequested():
            pass


def _end_badly(row: Row, response: str) -> None:
    """The original knows no state for a stopped task: it is `Failed`, and the response says why."""
    row.state = State.Failed
    row.response = cut(response)
    row.progressdescription = ""


def cut(text: str, length: int = TEXT_LENGTH) -> str:
    """Cut text to what the original's column holds; the full text stays in the events."""
    return text if len(text) <= length else text[: length - 1] + "…"
