"""What commands ask of the query side: is there such a task, may the caller see it, is its row there by now.

The roles know nothing of one another: commands ask by these protocols, and `batchtask/web/app.py` gives what answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable
from uuid import UUID

from batchtask.errors import TaskNotFound
from batchtask.events import RecordedEvent
from batchtask.http.callers import Caller
from batchtask.http.problems import BadRequest
from batchtask.http.views import TaskView
from batchtask.identifiers import TaskId
from batchtask.task_state import TaskState

#: What the numbers of tasks and associates are in the database.
LARGEST_INTEGER = 2**31 - 1
#: Of an id without its dashes; fewer decimal digits are a number.
_UUID_DIGITS = 32


@runtime_checkable
class TaskReader(Protocol):
    """Reads views of tasks. Synchronous and thread-safe."""

    def one(self, key: TaskId | int) -> TaskView:
        """Return one task by its id or its number.

        Raises:
            TaskNotFound: No row of it; right after a submission it may still be on its way.
        """


@runtime_checkable
class StateReader(Protocol):
    """Reads what the streams say, without waiting for any row. Synchronous and thread-safe."""

    def state(self, task_id: TaskId) -> TaskState:
        """Return the state of a task.

        Raises:
            TaskNotFound: It has no events.
        """


@runtime_checkable
class RowReader(Protocol):
    """Tells when what was submitted can be read. Asynchronous."""

    async def wait_for(self, task_id: TaskId, *, seconds: float | None = None) -> TaskView | None:
        """Return a task's view as soon as its row is there; None when it is not in time."""

    async def submission(self, task_id: TaskId) -> RecordedEvent | None:
        """Return the first event of a task, its `TaskSubmitted`; None before it is recorded."""


@runtime_checkable
class RowWriter(Protocol):
    """Brings rows up to date with what was recorded. Synchronous; one thread."""

    def project(self, events: Iterable[RecordedEvent]) -> None:
        """Project events, in any order, any number of times.

        Raises:
            StoreUnavailable: Nothing was written; a reconciler does it later.
        """


def visible_task(caller: Caller, tasks: TaskReader, key: str) -> TaskView:
    """Return a task that the caller may see, by id or number as somebody typed it.

    Raises:
        BadRequest: The key is neither.
        TaskNotFound: There is none, or it is somebody else's: whether it exists is nobody's business.
    """
    view = tasks.one(read_key(key))
    if not caller.may_see(view.owner):
        raise TaskNotFound(key)
    return view


def read_key(text: str) -> TaskId | int:
    """Read a task's id or number.

    Raises:
        BadRequest: It is neither.
        TaskNotFound: It is a number, larger than any task can have.
    """
    if text.isascii() and text.isdecimal() and len(text) < _UUID_DIGITS:
        if int(text) > LARGEST_INTEGER:
            raise TaskNotFound(text)
        return int(text)
    try:
        return TaskId(UUID(text))
    except ValueError:
        raise BadRequest(f"{text!r} is neither a task id nor a task number") from None
