"""Tasks as the SuperOffice-compatible API shows them: the row, and what only the stream knows, in one short read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, false, func, select, true
from sqlalchemy.dialects.postgresql import JSONB

from batchtask.database import database_errors
from batchtask.definitions import CancellationBehaviour
from batchtask.errors import TaskNotFound
from batchtask.http.callers import SYSTEM
from batchtask.http.carrier import BatchTaskInfo, BatchTaskState, CancellationName, StateName, bare_name, date_text
from batchtask.tables import batchtask, batchtaskdefinition, event
from projections.rows import State

#: Most tasks that one answer holds, the newest: nobody reads more, and each costs three looks at its stream.
MOST = 1000

_ENDS = ("TaskSucceeded", "TaskFailed", "TaskCancelled")
_FINISHED = (State.Succeeded, State.Failed, State.SucceededManualCleanup)

_first = event.alias("first_event")
# An administrator may have replayed the task with other parameters; the last change counts.
_changed = (
    select(event.c.data)
    .where(event.c.task_id == batchtask.c.task_id, event.c.type == "TaskReplayed")
    .where(event.c.data.has_key("parameters"))
    .order_by(event.c.version.desc())
    .limit(1)
    .lateral("changed")
)
_end = (
    select(event.c.data)
    .where(event.c.task_id == batchtask.c.task_id, event.c.type.in_(_ENDS), batchtask.c.state.in_(_FINISHED))
    .order_by(event.c.version.desc())
    .limit(1)
    .lateral("ending")
)
started_at: ColumnElement[Any] = func.timezone(func.current_setting("TimeZone"), batchtask.c.laststarted)

#: A definition's name as `bare_name` would have it.
stored_name: ColumnElement[Any] = func.lower(func.replace(func.replace(batchtaskdefinition.c.name, "-", ""), "_", ""))

_CARRIER = (
    select(
        batchtask,
        started_at.label("started_at"),
        func.coalesce(batchtaskdefinition.c.name, "").label("name"),
        func.coalesce(_changed.c.data["parameters"], _first.c.data["parameters"], type_=JSONB).label("parameters"),
        _first.c.data["cancellation"].label("cancellation"),
        func.coalesce(_end.c.data["response"].astext, _end.c.data["message"].astext, "").label("result"),
    )
    .join_from(
        batchtask,
        batchtaskdefinition,
        batchtask.c.batchtaskdefinition_id == batchtaskdefinition.c.batchtaskdefinition_id,
        isouter=True,
    )
    .outerjoin(_first, and_(_first.c.task_id == batchtask.c.task_id, _first.c.version == 0))
    .outerjoin(_changed, true())
    .outerjoin(_end, true())
)


@dataclass(frozen=True, kw_only=True)
class CarrierFilter:
    """Which tasks are wanted."""

    owners: Sequence[int] | None = None  #: associate ids; None = of everybody
    state: BatchTaskState = BatchTaskState.All
    name: str | None = None  #: of the definition, as `same_name` compares it; None = any
    users: bool = True  #: tasks that an associate started
    system: bool = False  #: tasks that nobody started
    limit: int = MOST


class Carriers:
    """Reads carriers. Thread-safe.

    Args:
        engine: The database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def one(self, number: int, zone: ZoneInfo | None = None) -> BatchTaskInfo:
        """Return one task by its number, times in a zone, by default the database's.

        Raises:
            TaskNotFound: No row of it; right after a submission it may still be on its way.
        """
        found = self._read(_CARRIER.where(batchtask.c.batchtask_id == number), zone)
        if not found:
            raise TaskNotFound(str(number))
        return found[0]

    def many(self, wanted: CarrierFilter, zone: ZoneInfo | None = None) -> list[BatchTaskInfo]:
        """Return tasks, newest first, times in a zone, by default the database's."""
        number = batchtask.c.batchtask_id
        with database_errors(), self._engine.connect() as connection:
            conditions = _conditions(connection, wanted)
            numbers = select(number).where(*conditions).order_by(number.desc()).limit(wanted.limit)
            return read_numbered(connection, connection.execute(numbers).scalars().all(), zone)

    def _read(self, query: Select[Any], zone: ZoneInfo | None) -> list[BatchTaskInfo]:
        with database_errors(), self._engine.connect() as connection:
            return [_carrier(row, zone) for row in connection.execute(query).mappings()]


def read_numbered(connection: Connection, numbers: Sequence[int], zone: ZoneInfo | None) -> list[BatchTaskInfo]:
    """Return the tasks of some numbers, in that order; a number without a row is left out.

    Numbers are found first and tasks read by them, so that no stream is looked at for a row that is not wanted.
    """
    query = _CARRIER.where(batchtask.c.batchtask_id == func.any(list(numbers)))
    found = {row["batchtask_id"]: row for row in connection.execute(query).mappings()}
    return [_carrier(found[number], zone) for number in numbers if number in found]


def same_name(name: str) -> ColumnElement[bool]:
    """Tell in SQL whether a definition has a name, whatever its spelling: `MailMerge` is `mail-merge`."""
    if "\0" in name:  # which PostgreSQL does not even compare with
        return false()
    return stored_name == bare_name(name)


def definition_ids(connection: Connection, condition: ColumnElement[bool]) -> Sequence[int]:
    """Find definitions, of which there is one for each version of a name.

    Asked for before the tasks are, so that the index of ids finds these in order; in one statement with the tasks,
    a rare name would be looked for among all of them.
    """
    return connection.execute(select(batchtaskdefinition.c.batchtaskdefinition_id).where(condition)).scalars().all()


def _conditions(connection: Connection, wanted: CarrierFilter) -> list[ColumnElement[bool]]:
    owner = batchtask.c.registered_associate_id
    conditions: list[ColumnElement[bool]] = []
    if wanted.owners is not None:
        conditions.append(_owned_by(wanted.owners))
    if wanted.state is not BatchTaskState.All:
        conditions.append(batchtask.c.state == int(wanted.state))
    if wanted.name is not None:
        ids = definition_ids(connection, same_name(wanted.name))
        conditions.append(batchtask.c.batchtaskdefinition_id.in_(ids))
    if not wanted.users:
        conditions.append(owner == SYSTEM if wanted.system else false())
    elif not wanted.system:
        conditions.append(owner != SYSTEM)
    return conditions


def _owned_by(owners: Sequence[int]) -> ColumnElement[bool]:
    owner = batchtask.c.registered_associate_id
    if len(owners) == 1:  # an index that begins with the owner has the newest first of one, not of an array
        return owner == owners[0]
    # As one array: callers name as many as they like, and a statement has 65 535 parameters at most.
    return owner == func.any(list(owners))


def _carrier(row: Mapping[Any, Any], zone: ZoneInfo | None) -> BatchTaskInfo:
    return BatchTaskInfo(
        id=row["batchtask_id"],
        name=row["name"],
        associate_id=row["registered_associate_id"],
        details_table=row["detailstable"] or 0,
        details_record=row["detailsrecord"] or 0,
        is_system_task=row["registered_associate_id"] == SYSTEM,
        is_internal_task=False,
        parameter_object=parameter_object(row["parameters"] or {}),
        last_started=date_text(row["started_at"], zone),
        created=date_text(row["registered"], zone),
        start_count=row["startcount"] or 0,
        database_serial_number=row["dbtag"],
        context="",
        result=row["result"],
        state=state_name(row["state"]),
        description=row["description"],
        response=row["response"] or "",
        request=row["request"] or "",
        progress_description=row["progressdescription"] or "",
        progress_percent=row["progresspercent"] or 0,
        file_name=row["filename"] or "",
        cancellation_behaviour=cast(CancellationName, CancellationBehaviour(row["cancellation"] or 0).name),
    )


def parameter_object(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Write parameters as the original's flat dictionary of strings: what is none is JSON text."""
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in parameters.items()
    }


def state_name(number: int) -> StateName:
    """Name a state as the original spells it; `Unknown` for a number that it does not have."""
    known = number in State.__members__.values()
    return cast(StateName, State(number).name if known else State.Unknown.name)
