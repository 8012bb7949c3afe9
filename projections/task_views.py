"""Tasks as the modern API shows them: the row, and what only the stream knows. Every method is one short read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, cast, func, select
from sqlalchemy.types import Integer, Text

from batchtask.crm7 import associate
from batchtask.database import database_errors
from batchtask.definitions import CancellationBehaviour, Registry
from batchtask.errors import TaskNotFound
from batchtask.http.views import Cancellation, TaskState, TaskView
from batchtask.identifiers import TaskId
from batchtask.tables import batchtask, batchtaskdefinition, event
from projections.queries import is_stopping
from projections.rows import State

CANCELLATIONS: dict[int, Cancellation] = {
    CancellationBehaviour.CanCancel: "can",
    CancellationBehaviour.CancelWithWarning: "warning",
    CancellationBehaviour.CannotCancel: "cannot",
}
_WORDS: dict[int, TaskState] = {
    State.Started: "started",
    State.Succeeded: "succeeded",
    State.SucceededManualCleanup: "succeeded",
    State.Failed: "failed",
}
STATES: dict[TaskState, Sequence[State]] = {
    "waiting": (State.New, State.Aquired),
    "started": (State.Started,),
    "succeeded": (State.Succeeded, State.SucceededManualCleanup),
    "failed": (State.Failed,),
    "cancelled": (State.Failed,),
}
#: What the warning says for a definition that wants one and brings no text of its own.
PLAIN_WARNING = "What is already done stays done. Cancel it all the same?"

_first = event.alias("first_event")
# A cancelled task is a failed one to the original, whose states have no word for it.
_end = (
    select(event.c.type)
    .where(event.c.task_id == batchtask.c.task_id, event.c.type.in_(("TaskCancelled", "TaskFailed")))
    .order_by(event.c.version.desc())
    .limit(1)
    .scalar_subquery()
)
was_cancelled: ColumnElement[bool] = _end == "TaskCancelled"

_VIEW = (
    select(
        batchtask.c.task_id,
        batchtask.c.batchtask_id,
        batchtask.c.version,
        batchtask.c.state,
        batchtask.c.description,
        batchtask.c.request,
        batchtask.c.response,
        batchtask.c.progresspercent,
        batchtask.c.progressdescription,
        batchtask.c.startcount,
        func.timezone(func.current_setting("TimeZone"), batchtask.c.laststarted).label("started_at"),
        batchtask.c.registered,
        batchtask.c.updated,
        batchtask.c.due_at,
        is_stopping.label("stopping"),
        batchtask.c.filename,
        batchtask.c.registered_associate_id.label("owner"),
        func.coalesce(batchtaskdefinition.c.name, "").label("name"),
        func.coalesce(associate.c.name, "").label("owner_name"),
        func.coalesce(cast(cast(_first.c.data["cancellation"], Text), Integer), 0).label("cancellation"),
        and_(batchtask.c.state == State.Failed, was_cancelled).label("cancelled"),
    )
    .join_from(
        batchtask,
        batchtaskdefinition,
        batchtask.c.batchtaskdefinition_id == batchtaskdefinition.c.batchtaskdefinition_id,
        isouter=True,
    )
    .outerjoin(associate, associate.c.associate_id == batchtask.c.registered_associate_id)
    .outerjoin(_first, and_(_first.c.task_id == batchtask.c.task_id, _first.c.version == 0))
)


class TaskViews:
    """Reads views of tasks. Thread-safe.

    Args:
        engine: The database.
        registry: Knows what to warn of before a task is cancelled.
    """

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry

    def one(self, key: TaskId | int) -> TaskView:
        """Return one task by its id or its number.

        Raises:
            TaskNotFound: No row of it; right after a submission it may still be on its way.
        """
        column = batchtask.c.batchtask_id if isinstance(key, int) else batchtask.c.task_id
        found = self._read(_VIEW.where(column == key))
        if not found:
            raise TaskNotFound(str(key))
        return found[0]

    def some(self, task_ids: Sequence[TaskId]) -> list[TaskView]:
        """Return the views there are for some ids, in no order."""
        return self._read(_VIEW.where(batchtask.c.task_id == func.any(list(task_ids))))

    def page(
        self,
        *,
        owner: int | None = None,
        states: Sequence[TaskState] = (),
        name: str | None = None,
        before: int | None = None,
        limit: int = 20,
    ) -> list[TaskView]:
        """Return tasks, newest first.

        Args:
            owner: Associate id; None = of everybody.
            states: Any of these; none = all.
            name: Of the definition.
            before: Only tasks with a lower number.
            limit: At most so many.
        """
        query = _VIEW.order_by(batchtask.c.batchtask_id.desc()).limit(limit)
        if owner is not None:
            query = query.where(batchtask.c.registered_associate_id == owner)
        if states:
            query = query.where(in_states(states))
        if name is not None:
            query = query.where(batchtaskdefinition.c.name == name)
        if before is not None:
            query = query.where(batchtask.c.batchtask_id < before)
        return self._read(query)

    def _read(self, query: Select[Any]) -> list[TaskView]:
        with database_errors(), self._engine.connect() as connection:
            return self._views(connection, query)

    def _views(self, connection: Connection, query: Select[Any]) -> list[TaskView]:
        return [self._view(row) for row in connection.execute(query).mappings()]

    def _view(self, row: Mapping[Any, Any]) -> TaskView:
        cancellation = CANCELLATIONS.get(row["cancellation"], "can")
        return TaskView(
            id=row["task_id"],
            number=row["batchtask_id"],
            name=row["name"],
            title=row["description"] or in_words(row["name"]),
            owner=row["owner"],
            owner_name=row["owner_name"],
            state="cancelled" if row["cancelled"] else word_of(row["state"]),
            percent=row["progresspercent"] or 0,
            progress=row["progressdescription"] or "",
            request=row["request"] or "",
            response=row["response"] or "",
            attempts=row["startcount"] or 0,
            submitted_at=_utc(row["registered"]),
            started_at=_utc(row["started_at"]) if row["started_at"] else None,
            updated_at=_utc(row["updated"]),
            due_at=_utc(row["due_at"]) if row["due_at"] else None,
            stopping=row["stopping"],
            file_name=row["filename"] or None,
            cancellation=cancellation,
            cancellation_warning=self._warning(row["name"]) if cancellation == "warning" else "",
            version=row["version"],
        )

    def _warning(self, name: str) -> str:
        own = self._registry[name].cancellation_warning if name in self._registry else ""
        return own or PLAIN_WARNING


def in_states(states: Sequence[TaskState]) -> ColumnElement[bool]:
    """Tell in SQL whether a row of `crm7.batchtask` is in one of some states."""
    numbers = sorted({number for state in states for number in STATES[state]})
    condition: ColumnElement[bool] = batchtask.c.state.in_(numbers)
    if ("failed" in states) != ("cancelled" in states):
        right_end = was_cancelled if "cancelled" in states else ~was_cancelled
        condition = condition & ((batchtask.c.state != State.Failed) | right_end)
    return condition


def word_of(state: int) -> TaskState:
    """Name a state as the modern API does; a row alone does not tell a cancelled task from a failed one."""
    return _WORDS.get(state, "waiting")


def in_words(name: str) -> str:
    """Make a title of a definition's name: `mail-merge` → `Mail merge`."""
    words = name.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)
