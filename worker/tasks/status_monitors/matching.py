"""From the stored criteria of a status monitor to the query for the records that fit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from batchtask.definitions import TaskFailure
from worker.tasks.crm.catalogue import Catalogue
from worker.tasks.crm.criteria import Group, condition, criteria_of
from worker.tasks.crm.operators import Asking, canonical
from worker.tasks.crm.stored_criteria import load_criteria
from worker.tasks.crm.subjects import SUBJECTS
from worker.tasks.crm.table_numbers import load_table_numbers
from worker.tasks.status_monitors.counter_criteria import with_counters
from worker.tasks.status_monitors.monitors import Monitor
from worker.tasks.status_monitors.owners import OwnerKind

_ABOUT_THE_USER = {"currentassociate", "currentgroup"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a monitor asks."""

    criteria: Group
    matches: Select[Any]  #: the ids, as `id`, of the records that fit


def read_question(connection: Connection, catalogue: Catalogue, kind: OwnerKind, monitor: Monitor) -> Question:
    """Read the criteria of a monitor and turn them into a query. "Today" is the database's.

    Raises:
        TaskFailure: There are none, or they cannot be asked; says why.
    """
    criteria = _load(connection, monitor)
    if criteria is None:
        raise TaskFailure("It has no criteria: add at least one.")
    _refuse_questions_about_the_user(criteria)
    now: datetime = connection.execute(select(func.localtimestamp())).scalar_one()
    asking = Asking(associate_id=0, group_id=0, now=now)
    subject = SUBJECTS[kind.subject]
    extended, rest = with_counters(catalogue, kind, criteria)
    found = select(subject.table.c[subject.key].label("id")).where(
        subject.is_present(subject.table), condition(extended, subject, rest, asking)
    )
    return Question(criteria=criteria, matches=found)


def criteria_have_changed(connection: Connection, monitor: Monitor, question: Question) -> bool:
    """Say whether somebody has edited the criteria since they were read."""
    return _load(connection, monitor) != question.criteria


def _load(connection: Connection, monitor: Monitor) -> Group | None:
    return load_criteria(connection, load_table_numbers(connection)["statusdef"], monitor.statusdef_id)


def _refuse_questions_about_the_user(criteria: Group) -> None:
    for criterion in criteria_of(criteria):
        if canonical(criterion.operator)[0] in _ABOUT_THE_USER:
            raise TaskFailure(
                f"The criterion {criterion} asks for the current user, but a status is the same for all."
            )
