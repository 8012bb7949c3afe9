"""Shapes of the modern API, `/api/v2`: snake case, times in UTC, states as words that say what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

TaskState = Literal["waiting", "started", "succeeded", "failed", "cancelled"]
#: Something may follow.
OPEN_STATES: frozenset[TaskState] = frozenset({"waiting", "started"})
Cancellation = Literal["can", "warning", "cannot"]


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """One task as its row shows it."""

    id: UUID
    number: int  #: in `crm7.batchtask`, and in the SuperOffice-compatible API
    name: str  #: of the definition
    title: str  #: its description, else the definition's name in words
    owner: int  #: associate id; 0 = system
    owner_name: str
    state: TaskState
    percent: int  #: 0 to 100
    progress: str  #: what it is doing, in words
    request: str
    response: str  #: what it did, or why it failed
    attempts: int  #: that were begun
    submitted_at: datetime
    started_at: datetime | None  #: of the last attempt
    updated_at: datetime
    due_at: datetime | None  #: while it waits for a time: when it goes on
    stopping: bool  #: it runs, and was asked to stop
    file_name: str | None  #: of its result
    cancellation: Cancellation
    cancellation_warning: str  #: what to ask the user first; empty unless `cancellation` is `warning`
    version: int  #: of its stream; grows with every change


class TaskPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some tasks, newest first."""

    tasks: list[TaskView]
    next_before: int | None  #: ask for the next page with `before` of this; None = there is none


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is taken to be."""

    associate_id: int
    name: str
    administrator: bool
