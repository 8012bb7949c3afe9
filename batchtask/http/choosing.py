"""Choosing many tasks for one command: what an administrator may say, and who finds the tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol, runtime_checkable
from uuid import UUID

import msgspec

from batchtask.http.readable import LARGEST_INTEGER
from batchtask.http.texts import Name
from batchtask.http.views import Cancellation
from batchtask.identifiers import TaskId

#: Tasks of one command: so many are done within some seconds, and the next command goes on behind them.
MOST_TASKS = 10_000

Number = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]
Keys = Annotated[list[UUID | Number], msgspec.Meta(min_length=1, max_length=MOST_TASKS)]
OpenState = Literal["waiting", "started"]
DeadState = Literal["failed", "cancelled"]
DeadCause = Literal["error", "time-limit", "memory", "lost-worker", "rejected", "stopped"]


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks; what is left out leaves any."""

    ids: Keys | None = None  #: ids or numbers
    name: Name | None = None  #: of the definition
    owner: Number | None = None  #: associate id; 0 = system
    since: datetime | None = None  #: submitted, or of dead tasks ended, at this time or later
    until: datetime | None = None  #: before this time
    before: Number | None = None  #: with a lower number: go on behind the last command

    @property
    def chooses(self) -> bool:
        """Whether it says anything that leaves tasks out; `before` alone is a place, and no choice."""
        return any(getattr(self, name) is not None for name in self.__struct_fields__ if name in _CHOOSING)


_CHOOSING = frozenset({"ids", "name", "owner", "since", "until", "state", "causes"})


class OpenChoice(Choice, frozen=True, kw_only=True):
    """Which open tasks."""

    state: OpenState | list[OpenState] | None = None


class DeadChoice(Choice, frozen=True, kw_only=True):
    """Which dead tasks; without `state`, `causes` and `ids` those that somebody stopped are left alone."""

    state: DeadState | list[DeadState] | None = None
    causes: list[DeadCause] | None = None


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A task that was found."""

    task_id: TaskId
    number: int
    cancellation: Cancellation


@runtime_checkable
class Chooser(Protocol):
    """Finds tasks, newest first. Synchronous and thread-safe."""

    def open_tasks(self, wanted: OpenChoice, limit: int) -> Sequence[Chosen]:
        """Return tasks that have not ended."""

    def dead_tasks(self, wanted: DeadChoice, limit: int) -> Sequence[Chosen]:
        """Return tasks that failed or were stopped."""
