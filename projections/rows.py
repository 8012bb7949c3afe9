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
    AttemptSnoozed,
    AttemptStarted,
    AttemptTimedOut,
    CancelRequested,
    PassCompleted,
    ProgressReported,
    RecordedEvent,
    RetryScheduled,
    TaskAmended,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskReleased,
    TaskReplayed,
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


#: Nothing follows, unless an administrator begins the task anew.
ENDED = frozenset({State.Succeeded, State.Failed, State.SucceededManualCleanup})


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
    due_at: datetime | None = None  #: while the task waits
    stopping: bool = False  #: it runs, and was asked to stop


def fold_row(row: Row | None, events: Iterable[RecordedEvent]) -> Row | None:
    """Fold events, in stream order without gaps, onto a row, which is changed in place; None for no events."""
    for event in events:
        if isinstance(event.body, TaskSubmitted):
            row = _first(event, event.body)
        elif row is not None:
            _apply(row, event)
            row.stopping = row.stopping and row.state == State.Started
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
        due_at=body.start_at,
    )


def _apply(row: Row, event: RecordedEvent) -> None:
    """Heartbeats, checkpoints, and wishes to cancel that were noticed or refused, only make a row newer."""
    match event.body:
        case AttemptStarted():
            row.state = State.Started
            row.startcount += 1
            row.laststarted = event.occurred_at
            row.due_at = None
            row.stopping = False
            _tell(row, "", percent=0)
        case CancelRequested():
            row.stopping = True
        case ProgressReported(percent=percent, text=text):
            _tell(row, text, percent)
        case AttemptFailed() | AttemptTimedOut() | AttemptLost() | AttemptInterrupted():
            row.state = State.New
            _tell(row, "Waiting for the next attempt")
        case RetryScheduled(due_at=due_at):
            _wait(row, due_at, "Waiting for the next attempt")
        case AttemptSnoozed(due_at=due_at, reason=reason) | TaskDeferred(due_at=due_at, reason=reason):
            _wait(row, due_at, reason)
        case PassCompleted(due_at=due_at, response=response):
            row.response = cut(response)
            _wait(row, due_at, "Waiting for the next pass")
        case TaskReleased():
            row.due_at = None
        case TaskReplayed(due_at=due_at):
            row.response, row.filename = "", None
            _wait(row, due_at, "Begins anew", percent=0)
        case TaskAmended():
            _amend(row, event.body)
        case TaskSucceeded() | TaskFailed() | TaskCancelled():
            _end(row, event.body)


def _tell(row: Row, text: str, percent: int | None = None) -> None:
    row.progressdescription = cut(text)
    if percent is not None:
        row.progresspercent = percent


def _wait(row: Row, due_at: datetime, text: str, percent: int | None = None) -> None:
    row.state = State.New
    row.due_at = due_at
    _tell(row, text, percent)


def _amend(row: Row, amended: TaskAmended) -> None:
    """What somebody writes stands until the task itself says something else: its end overwrites a response."""
    for name in ("description", "request", "response"):
        text = getattr(amended, name)
        if text is not None:
            setattr(row, name, cut(text))
    if amended.manual_cleanup:
        row.state = State.SucceededManualCleanup


def _end(row: Row, end: TaskSucceeded | TaskFailed | TaskCancelled) -> None:
    """The original knows no state for a stopped task: it is `Failed`, and the response says why."""
    row.due_at = None
    match end:
        case TaskSucceeded(response=response, file_name=file_name):
            row.state = State.Succeeded
            row.response = cut(response)
            row.filename = cut(file_name, FILE_NAME_LENGTH) if file_name else None
            _tell(row, "", percent=100)
        case TaskFailed(message=message):
            row.state = State.Failed
            row.response = cut(message)
            _tell(row, "")
        case TaskCancelled(response=response):
            row.state = State.Failed
            row.response = cut(f"Stopped on request. {response}".strip())
            _tell(row, "")


def cut(text: str, length: int = TEXT_LENGTH) -> str:
    """Cut text to what the original's column holds; the full text stays in the events."""
    return text if len(text) <= length else text[: length - 1] + "…"
