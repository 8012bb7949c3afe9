"""Reads the criteria that the CRM keeps for selections, status monitors and saved searches."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from batchtask import crm7
from worker.tasks.crm.criteria import Criterion, Group, Node
from worker.tasks.crm.restrictions import Listed, build_tree

_OR = 2  # of `searchcriterion.linktype`; undocumented, so anything else is AND
_SUBTRACT = 1  # of `searchcriteriagroup.direction`


def load_criteria(connection: Connection, owner_table: int, owner_id: int) -> Group | None:
    """Read the criteria of a row of the table with this number; None if it has none that are active.

    Several groups are added up, those that subtract are taken away from the sum.

    Raises:
        TaskFailure: Their parentheses do not match.
    """
    added: list[Node] = []
    subtracted: list[Node] = []
    for group_id, direction in connection.execute(_groups(owner_table, owner_id)).all():
        tree = build_tree(_listed(connection, group_id))
        if tree.members:
            (subtracted if direction == _SUBTRACT else added).append(tree)
    if not added and not subtracted:
        return None
    denied = tuple(Group(members=(tree,), denied=True) for tree in subtracted)
    if len(added) > 1:
        return Group(members=(Group(members=tuple(added), any=True), *denied))
    return Group(members=(*added, *denied))


def _groups(owner_table: int, owner_id: int) -> Any:
    owned, group = crm7.searchcriteria.c, crm7.searchcriteriagroup.c
    return (
        select(group.searchcriteriagroup_id, group.direction)
        .join(crm7.searchcriteria, owned.searchcriteria_id == group.searchcriteria_id)
        .where(owned.ownertable == owner_table, owned.ownerid == owner_id, group.active != 0)
        .order_by(owned.searchcriteria_id, group.rank, group.searchcriteriagroup_id)
    )


def _listed(connection: Connection, group_id: int) -> list[Listed]:
    table = crm7.searchcriterion
    rows = connection.execute(
        select(table)
        .where(table.c.searchcriteriagroup_id == group_id, table.c.active != 0)
        .order_by(table.c.rank, table.c.searchcriterion_id)
    ).all()
    values = _values(connection, [row.searchcriterion_id for row in rows])
    return [
        Listed(
            node=Criterion(
                name=row.columnname or "",
                operator=row.operatorname or "",
                values=tuple(values.get(row.searchcriterion_id, ())),
            ),
            opens=max(row.parenthesis or 0, 0),
            closes=max(-(row.parenthesis or 0), 0),
            or_next=row.linktype == _OR,
        )
        for row in rows
    ]


def _values(connection: Connection, criterion_ids: list[int]) -> dict[int, list[str]]:
    table = crm7.searchcriterionvalue
    found: dict[int, list[str]] = {}
    rows = select(table).where(table.c.searchcriterion_id.in_(criterion_ids))
    for row in connection.execute(rows.order_by(table.c.rank, table.c.searchcriterionvalue_id)):
        found.setdefault(row.searchcriterion_id, []).append(_value(row))
    return found


def _value(row: Any) -> str:
    if row.listitemid:
        return str(row.listitemid)
    if row.stringvalue:
        return str(row.stringvalue)
    if row.longvalue is not None:
        return str(row.longvalue)
    return "" if row.doublevalue is None else repr(row.doublevalue)
