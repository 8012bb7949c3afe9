"""Finds the tasks that an administrator means by what they have in common. Synchronous."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, Integer, Text, and_, cast, func, select

from batchtask.database import database_errors
from batchtask.definitions import CancellationBehaviour
from batchtask.http.choosing import Choice, Chosen, DeadChoice, OpenChoice
from batchtask.http.views import TaskState
from batchtask.identifiers import TaskId
from batchtask.tables import batchtask, batchtaskdefinition, event
from projections.dead_tasks import CAUSES, STOPPED, DeadFilter, DeadTasks, among
from projections.task_views import CANCELLATIONS, STATES


class TaskChooser:
    """Finds tasks by rows. Thread-safe; every method is one read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dead = DeadTasks(engine)

    def open_tasks(self, wanted: OpenChoice, limit: int) -> Sequence[Chosen]:
        """Return tasks that have not ended, newest first."""
        first = event.alias("first_event")
        behaviour = func.coalesce(cast(cast(first.c.data["cancellation"], Text), Integer), 0)
        query = (
            select(batchtask.c.task_id, batchtask.c.batchtask_id, behaviour.label("cancellation"))
            .join_from(batchtask, batchtaskdefinition, isouter=True)
            .outerjoin(first, and_(first.c.task_id == batchtask.c.task_id, first.c.version == 0))
            .where(batchtask.c.state.in_(_open_states(wanted)), *_conditions(wanted))
            .order_by(batchtask.c.batchtask_id.desc())
            .limit(limit)
        )
        with database_errors(), self._engine.connect() as connection:
            return [_chosen(row) for row in connection.execute(query).mappings()]

    def dead_tasks(self, wanted: DeadChoice, limit: int) -> Sequence[Chosen]:
        """Return tasks that failed or were stopped, newest first."""
        dead = DeadFilter(
            name=wanted.name,
            owner=wanted.owner,
            since=wanted.since,
            until=wanted.until,
            causes=_causes(wanted),
            keys=wanted.ids,
        )
        found = self._dead.tasks(dead, limit=limit, before=wanted.before)
        return [Chosen(task_id=TaskId(row.task_id), number=row.batchtask_id, cancellation="can") for row in found]


def _open_states(wanted: OpenChoice) -> list[int]:
    words: Sequence[TaskState] = _listed(wanted.state) or ("waiting", "started")
    return [number for word in words for number in STATES[word]]


def _causes(wanted: DeadChoice) -> Sequence[str] | None:
    states = _listed(wanted.state)
    if not states and wanted.causes is None and wanted.ids is not None:
        return None
    # Who stopped a task does not expect it back.
    of_states = {cause for cause in CAUSES if (cause == STOPPED) == ("cancelled" in states)}
    if set(states) == {"failed", "cancelled"} or (not states and wanted.causes is not None):
        of_states = set(CAUSES)
    return sorted(of_states if wanted.causes is None else of_states.intersection(wanted.causes))


def _listed(given: Any) -> list[Any]:
    return [given] if isinstance(given, str) else given or []


def _conditions(wanted: Choice) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.ids is not None:
        conditions.append(among(wanted.ids))
    if wanted.name is not None:
        conditions.append(batchtaskdefinition.c.name == wanted.name)
    if wanted.owner is not None:
        conditions.append(batchtask.c.registered_associate_id == wanted.owner)
    if wanted.since is not None:
        conditions.append(batchtask.c.registered >= wanted.since)
    if wanted.until is not None:
        conditions.append(batchtask.c.registered < wanted.until)
    if wanted.before is not None:
        conditions.append(batchtask.c.batchtask_id < wanted.before)
    return conditions


def _chosen(row: Any) -> Chosen:
    cancellation = CANCELLATIONS.get(CancellationBehaviour(row["cancellation"]), "can")
    return Chosen(task_id=TaskId(row["task_id"]), number=row["batchtask_id"], cancellation=cancellation)
