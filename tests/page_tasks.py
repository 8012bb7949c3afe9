# ruff: noqa: E501 - a story is read line by line
"""Somebody's tasks in every state, recorded as workers would have done: for tests and screenshots of the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert

from batchtask.definitions import CancellationBehaviour
from batchtask.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptTimedOut,
    CancelNoticed,
    CancelRequested,
    Event,
    ProgressReported,
    RetryScheduled,
    TaskCancelled,
    TaskDeferred,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
)
from batchtask.identifiers import TaskId, new_task_id
from batchtask.outcomes import Cause
from batchtask.store import Append, EventStore
from batchtask.tables import log_line
from projections.projector import Projector

WORKER = "crm-batch-1/4711/0d9f6a31"
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/crm/tasks/dunning.py", line 88, in dunning
    letter = merge(template, company)
  File "/opt/crm/tasks/merging.py", line 41, in merge
    raise MissingField(name, company)
MissingField: company 4021 has no organisation number"""


@dataclass(frozen=True)
class Told:
    """One task: what it was asked for, and what happened so many seconds ago."""

    name: str
    description: str
    submitted: float
    happened: Sequence[tuple[float, Event]] = ()
    lines: Sequence[tuple[float, int, str]] = ()  #: seconds ago, level, text
    more: dict[str, Any] = field(default_factory=dict)  #: further fields of the submission


def started(fence: int = 1) -> AttemptStarted:
    return AttemptStarted(attempt=fence, fence=fence, worker=WORKER, delivery_id="d")


def progress(percent: int, text: str, fence: int = 1) -> ProgressReported:
    return ProgressReported(fence=fence, percent=percent, text=text)


def busy_morning(now: datetime) -> list[Told]:
    """Return the tasks of a busy morning, oldest first."""
    warned = {"cancellation": int(CancellationBehaviour.CancelWithWarning)}
    return [
        Told("mail-merge", "Reminders, third quarter", 93_000, [
            (92_990, started()),
            (92_400, TaskSucceeded(fence=1, response="512 letters were merged; 3 companies have no address and were left out.")),
        ]),
        Told("report", "Sales by owner and month", 12_000, [
            (11_998, started()),
            (11_100, AttemptTimedOut(fence=1, limit_seconds=900)),
            (11_100, TaskFailed(cause=Cause.TIME_LIMIT, message="It took longer than the 15 minutes that it may take.")),
        ]),
        Told("status-monitors", "All status monitors and counters", 9_000, [
            (8_990, started()),
            (8_900, progress(30, "Sleeping customers: 170 of 560 companies")),
            (8_800, CancelRequested(requested_by=0, reason="The list was wrong")),
            (8_799, CancelNoticed(fence=1)),
            (8_790, TaskCancelled(requested_by=0, response="2 of 5 monitors had been regenerated.")),
        ]),
        Told("dunning-letters", "Dunning letters for November", 5_400, [
            (5_395, started()),
            (5_380, AttemptFailed(fence=1, cause=Cause.ERROR, message="Company 4021 has no organisation number.", detail=TRACEBACK)),
            (5_380, RetryScheduled(due_at=now - timedelta(seconds=5_320), cause=Cause.ERROR, failures=1)),
            (5_320, started(2)),
            (5_310, AttemptLost(fence=2, detail="signal 9")),
            (5_310, RetryScheduled(due_at=now - timedelta(seconds=5_200), cause=Cause.LOST_WORKER, failures=1)),
            (5_200, started(3)),
            (5_180, AttemptFailed(fence=3, cause=Cause.ERROR, message="Company 4021 has no organisation number.", detail=TRACEBACK)),
            (5_180, TaskFailed(cause=Cause.ERROR, message="Company 4021, Bergen Brygge AS, has no organisation number. Fill it in and start the letters again.")),
        ], [
            (5_394, 20, "612 companies have invoices that are overdue"),
            (5_390, 20, "Template: dunning-2.docx"),
            (5_381, 30, "Company 3977 has two addresses; the postal one is taken"),
            (5_380, 40, "Company 4021 has no organisation number"),
            (5_319, 20, "612 companies have invoices that are overdue"),
            (5_199, 20, "612 companies have invoices that are overdue"),
            (5_181, 40, "Company 4021 has no organisation number"),
        ], {"parameters": {"selection_id": 88, "template": "dunning-2.docx", "output": "pdf", "languages": ["no", "sv"]}}),
        Told("mail-merge", "Spring letters to 250 companies", 900, [
            (895, started()),
            (700, progress(64, "160 of 250 letters")),
            (640, TaskSucceeded(fence=1, response="238 letters were merged; 12 companies have no address and were left out.", file_name="spring-letters.docx")),
        ]),
        Told("inbox", "New mail of 14 users", 320, [
            (318, started()),
            (316, AttemptFailed(fence=1, cause=Cause.ERROR, message="The mail server did not answer.")),
            (316, RetryScheduled(due_at=now + timedelta(seconds=95), cause=Cause.ERROR, failures=1)),
        ]),
        Told("publish-udef", "New fields of companies", 240, [
            (238, started()), (60, progress(72, "Moving values: 403 of 560 companies")),
        ], more={"cancellation": int(CancellationBehaviour.CannotCancel)}),
        Told("mail-merge", "Autumn letter, 240 recipients", 130, [
            (128, started()), (4, progress(43, "103 of 240 letters")),
        ], [(127, 20, "Selection “Autumn letter”: 240 members"), (90, 30, "Kari Nordmann has no address and is left out")], warned
            | {"parameters": {"selection_id": 91, "template": "autumn.docx", "heading": "Our autumn catalogue"}}),
        Told("report", "Company list", 45, [
            (40, TaskDeferred(due_at=now + timedelta(seconds=50), reason="Two reports of yours run already; this one is next")),
        ]),
        Told("report", "Sales pipeline by owner", 20),
        Told("sleep", "Quarterly figures", 86_000, more={"start_at": now + timedelta(hours=9)}),
    ]  # fmt: skip


def record_story(engine: Engine, owner: int, story: Sequence[Told], now: datetime | None = None) -> dict[str, TaskId]:
    """Record tasks of a user and project them; return their ids by description."""
    now = now or datetime.now(UTC)
    ids = {}
    for told in story:
        ids[told.description] = task_id = new_task_id()
        _record(engine, task_id, owner, told, now)
    return ids


def _record(engine: Engine, task_id: TaskId, owner: int, told: Told, now: datetime) -> None:
    store, projector = EventStore(engine), Projector(engine)
    first = TaskSubmitted(name=told.name, description=told.description, owner=owner, **told.more)
    for version, (ago, event) in enumerate([(told.submitted, first), *told.happened]):
        body = _by(event, owner)
        appended = store.append(Append(task_id, version - 1, [body], now - timedelta(seconds=ago)))
        projector.project(appended)
    if told.lines:
        with engine.begin() as connection:
            connection.execute(insert(log_line), _lines(task_id, told, now))


def _by(event: Event, owner: int) -> Event:
    """Let the owner have asked for what a story tells of them."""
    if isinstance(event, CancelRequested):
        return CancelRequested(requested_by=owner, reason=event.reason)
    if isinstance(event, TaskCancelled):
        return TaskCancelled(requested_by=owner, response=event.response)
    return event


def _lines(task_id: TaskId, told: Told, now: datetime) -> list[dict[str, Any]]:
    begun = [(ago, event.fence) for ago, event in told.happened if isinstance(event, AttemptStarted)]
    return [
        {
            "task_id": task_id,
            "attempt": max((fence for at, fence in begun if at >= ago), default=1),
            "logged_at": now - timedelta(seconds=ago),
            "level": level,
            "text": text,
        }
        for ago, level, text in told.lines
    ]
