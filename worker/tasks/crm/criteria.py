"""Criteria as a tree, and the tree as one SQL condition on the rows of a subject.

Plain columns are compared as they are; whatever lies in other tables becomes EXISTS, so that the database can choose
how to answer a question about a million rows. Criteria on the same link to many (`sale/amount`, `sale/date`) that
stand side by side are about the same record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import FromClause, and_, exists, func, not_, or_, true

from batchtask.definitions import TaskFailure
from worker.tasks.crm.catalogue import Catalogue, did_you_mean, is_without
from worker.tasks.crm.fields import Condition, Field, Kind
from worker.tasks.crm.operators import Asking, canonical, is_known, known_operators, make_test, value_count
from worker.tasks.crm.subject import Link, Subject
from worker.tasks.crm.subjects import SUBJECTS

_SHOWN_VALUES = 5


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One question to one field."""

    name: str
    operator: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = len(self.values) - _SHOWN_VALUES
        shown = [repr(value) for value in self.values[:_SHOWN_VALUES]]
        return " ".join([self.name, self.operator, *shown, *([f"and {more} more"] if more > 0 else [])])


@dataclass(frozen=True, kw_only=True)
class Group:
    """Several criteria: all must hold, or any; `denied` turns the answer round. Without members it holds."""

    members: tuple[Node, ...] = ()
    any: bool = False
    denied: bool = False


Node = Criterion | Group


def condition(
    catalogue: Catalogue, subject: Subject, tree: Node, asking: Asking, base: FromClause | None = None
) -> Condition:
    """Turn criteria into a condition for `select(...).where(...)` over the rows of `base`.

    `base` is the subject's table, unless an alias of it is given.

    Raises:
        TaskFailure: A field, operator or value is not known or does not fit; says which, and what there is.
    """
    rows = subject.table if base is None else base
    if isinstance(tree, Criterion):
        return _group(catalogue, subject, Group(members=(tree,)), asking, rows)
    return _group(catalogue, subject, tree, asking, rows)


def criteria_of(tree: Node) -> Iterator[Criterion]:
    """Yield all criteria of a tree, in order."""
    if isinstance(tree, Criterion):
        yield tree
    else:
        for member in tree.members:
            yield from criteria_of(member)


def _group(catalogue: Catalogue, subject: Subject, group: Group, asking: Asking, base: FromClause) -> Condition:
    if not group.members:
        return true()
    parts: list[Condition] = []
    about_others: dict[tuple[str, bool], list[Criterion]] = defaultdict(list)
    for position, member in enumerate(group.members):
        if isinstance(member, Group):
            parts.append(_group(catalogue, subject, member, asking, base))
        elif (link := catalogue.link(subject, member.name)[0]) and link.many:
            # In an OR there is no "same record": each stands for itself.
            first = member.name.strip().partition("/")[0].lower() + (str(position) if group.any else "")
            about_others[first, is_without(subject, member.name)].append(member)
        else:
            parts.append(_criterion(catalogue, subject, member, asking, base))
    for (_, without), members in about_others.items():
        found = _any_related(catalogue, subject, members, asking, base)
        parts.append(not_(found) if without else found)
    joined = or_(*parts) if group.any else and_(*parts)
    return not_(func.coalesce(joined, False)) if group.denied else joined


def _any_related(
    catalogue: Catalogue, subject: Subject, members: list[Criterion], asking: Asking, base: FromClause
) -> Condition:
    link, _ = catalogue.link(subject, members[0].name)
    assert isinstance(link, Link)
    other = SUBJECTS[link.subject]
    row = other.table.alias()
    inner = Group(members=tuple(replace(one, name=catalogue.link(subject, one.name)[1]) for one in members))
    return (
        exists()
        .where(and_(catalogue.related(link, base, row), _group(catalogue, other, inner, asking, row)))
        .correlate(base)
    )


def _criterion(
    catalogue: Catalogue, subject: Subject, criterion: Criterion, asking: Asking, base: FromClause
) -> Condition:
    field = catalogue.field(subject, criterion.name, base)
    name, denied = canonical(criterion.operator)
    if name == "isnull":
        # No address at all is as empty as an address without a city.
        filled = field.holds(lambda value: not_(make_test(field, name, (), asking)(value)))
        return func.coalesce(filled, False) if denied else not_(func.coalesce(filled, False))
    if not is_known(field.kind, name):
        raise _unknown_operator(criterion, field)
    _check_count(criterion, field.kind, name)
    try:
        test = make_test(field, name, criterion.values, asking)
    except (ValueError, OverflowError) as error:
        raise _bad_value(criterion, field) from error
    held = field.holds(test)
    return not_(func.coalesce(held, False)) if denied else held


def _check_count(criterion: Criterion, kind: Kind, name: str) -> None:
    count = value_count(name)
    given = len(criterion.values)
    if count is None and not given and kind is not Kind.FLAG:
        raise TaskFailure(f"The criterion {criterion} needs at least one value.")
    if count is not None and count > given:
        raise TaskFailure(f"The criterion {criterion} needs {count} value{'s' * (count > 1)}, not {given}.")


def _unknown_operator(criterion: Criterion, field: Field) -> TaskFailure:
    known = known_operators(field.kind)
    return TaskFailure(
        f"The criterion {criterion} cannot be asked: {field.name!r} is a {field.kind.value} field. "
        f"{did_you_mean(criterion.operator, known)}"
    )


def _bad_value(criterion: Criterion, field: Field) -> TaskFailure:
    expected = {
        "number": "whole numbers",
        "decimal": "numbers such as 12.5",
        "date": "dates such as 2025-01-31, and whole numbers of days",
        "date and time": "dates such as 2025-01-31 or 2025-01-31 13:00, and whole numbers of days",
        "yes or no": "1 or 0",
        "list": "ids of list items, or their names",
    }.get(field.kind.value, "other values")
    return TaskFailure(f"The criterion {criterion} cannot be read: {field.name!r} takes {expected}.")
