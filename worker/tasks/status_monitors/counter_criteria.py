"""Counters as criteria: "number of sales in the period is less than 3", and what narrows down what is counted.

The criteria `saintActivityType`, `saintDirection`, `saintIntention`, `saintSaleStatus` and `saintAmountClass` ask
nothing of a record: they say which activities or sales the counters beside them mean. Who has no counter has a count
of 0, and no last date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, FromClause, Select, and_, case, func, literal, not_, null, select

from batchtask import crm7
from batchtask.definitions import TaskFailure
from worker.tasks.crm.catalogue import Catalogue
from worker.tasks.crm.criteria import Criterion, Group, Node
from worker.tasks.crm.criterion_values import read_integer
from worker.tasks.crm.fields import Condition, Definition, Expression, Kind, Reading, Sees, Test
from worker.tasks.crm.operators import canonical
from worker.tasks.status_monitors.owners import OwnerKind

ALL_SALES = 1000  #: `countervalue.sale_status` of the rows that count every sale
_ALL = -1  #: in lists to choose from

_COUNTERS = crm7.countervalue.c


@dataclass(frozen=True, kw_only=True)
class _Narrowing:
    """What a criterion narrows down, and to what."""

    column: Column[int]
    of_sales: bool


_NARROWING = {
    "saintactivitytype": _Narrowing(column=_COUNTERS.record_type, of_sales=False),
    "saintdirection": _Narrowing(column=_COUNTERS.direction, of_sales=False),
    "saintintention": _Narrowing(column=_COUNTERS.intent_id, of_sales=False),
    "saintsalestatus": _Narrowing(column=_COUNTERS.sale_status, of_sales=True),
    "saintamountclass": _Narrowing(column=_COUNTERS.amountclassid, of_sales=True),
}

_COUNTS = {
    "NumberOf{}": _COUNTERS.totalreg,
    "NumberOf{}InPeriod": _COUNTERS.totalreginperiod,
    "NumberOf{}InPeriod2": _COUNTERS.extra1_count,
    "NumberOf{}InPeriod3": _COUNTERS.extra3_count,
    "NumberOfNotCompleted{}": _COUNTERS.notcompleted,
    "NumberOfNotCompleted{}InPeriod": _COUNTERS.notcompletedinperiod,
    "NumberOfNotCompleted{}InPeriod2": _COUNTERS.extra2_count,
    "NumberOfNotCompleted{}InPeriod3": _COUNTERS.extra4_count,
}
_DATES = {
    "Last{}": _COUNTERS.lastregistered,
    "LastCompleted{}": _COUNTERS.lastcompleted,
    "LastDoBy{}": _COUNTERS.lastdoby,
}


def with_counters(catalogue: Catalogue, kind: OwnerKind, criteria: Group) -> tuple[Catalogue, Group]:
    """Add the counters to the fields of a catalogue, narrowed down as the criteria say.

    Returns:
        The catalogue, and the criteria without those that narrow down.

    Raises:
        TaskFailure: A criterion that narrows down cannot be read.
    """
    members = list(_side_by_side(criteria))
    narrowing = [member for member in members if _narrows(member)]
    rest = tuple(member for member in members if not _narrows(member))
    activities, sales = _filters(narrowing)
    fields = {
        **_definitions(kind, ("Activities", "Activity"), activities),
        **_definitions(kind, ("Sales", "Sale"), sales),
    }
    known: Mapping[str, Definition] = catalogue.udefs.get(kind.subject, {})
    extended = replace(catalogue, udefs={**catalogue.udefs, kind.subject: {**known, **fields}})
    return extended, Group(members=rest)


def _side_by_side(node: Node) -> Iterator[Node]:
    """Yield what must all hold, without the groups that only say so."""
    if isinstance(node, Criterion) or node.any or node.denied:
        yield node
    else:
        for member in node.members:
            yield from _side_by_side(member)


def _narrows(member: Node) -> bool:
    return isinstance(member, Criterion) and member.name.strip().lower() in _NARROWING


def _filters(narrowing: list[Node]) -> tuple[Condition, Condition]:
    activities: list[Condition] = [_COUNTERS.record_type != 0]
    sales: list[Condition] = []
    status: Condition = _COUNTERS.sale_status == ALL_SALES
    for criterion in narrowing:
        assert isinstance(criterion, Criterion)
        known = _NARROWING[criterion.name.strip().lower()]
        wanted = _wanted(criterion, known.column)
        if wanted is None:
            continue
        if known.column is _COUNTERS.sale_status:
            status = and_(wanted, _COUNTERS.sale_status.not_in((0, ALL_SALES)))
        else:
            (sales if known.of_sales else activities).append(wanted)
    return and_(*activities), and_(status, *sales)


def _wanted(criterion: Criterion, column: Column[int]) -> Condition | None:
    """Return the condition on the counters' rows; None for "all"."""
    operator, denied = canonical(criterion.operator)
    if operator not in {"is", "oneof"} or not criterion.values:
        raise TaskFailure(f"The criterion {criterion} cannot be asked: use is, oneOf, isNot or notOneOf, with ids.")
    try:
        ids = [read_integer(value) for value in criterion.values]
    except ValueError as error:
        raise TaskFailure(f"The criterion {criterion} cannot be read: it takes ids of list items.") from error
    if _ALL in ids:
        return None
    return column.not_in(ids) if denied else column.in_(ids)


def _definitions(kind: OwnerKind, names: tuple[str, str], counted: Condition) -> dict[str, Definition]:
    many, one = names
    counts = {
        pattern.format(many): _counter(kind, Kind.NUMBER, func.sum(column), literal(0), counted)
        for pattern, column in _COUNTS.items()
    }
    dates = {
        pattern.format(one): _counter(kind, Kind.TIME, func.max(column), null(), counted)
        for pattern, column in _DATES.items()
    }
    return {name.lower(): definition for name, definition in (counts | dates).items()}


def _counter(kind: OwnerKind, of: Kind, total: Expression, without: Expression, counted: Condition) -> Definition:
    """Make a field of the sum or the latest of the counters' rows; `without` is its value where there are none."""
    owner = _COUNTERS[kind.key]

    def having(wanted: Condition) -> Select[Any]:
        return select(owner).where(counted, owner != 0).group_by(owner).having(wanted)

    def read(base: FromClause, _: Sees) -> Reading:
        key = base.c[kind.key]

        def holds(test: Test) -> Condition:
            # Sets of ids in place of a sum for each record: the server hashes them. Which of the two is wanted is
            # known when it plans, since a test of a constant is a constant.
            fits_without = func.coalesce(test(without), False)
            fits = func.coalesce(test(total), False)
            return case((fits_without, key.not_in(having(not_(fits)))), else_=key.in_(having(fits)))

        value = select(func.coalesce(total, without)).where(counted, owner == key).correlate(base).scalar_subquery()
        return Reading(value=value, holds=holds)

    return Definition(kind=of, heading="", read=read)
