"""What an associate may read, as SQL.

Two rules hold together: the role's data rights, by how the user is related to a record's owner, and, for activities,
documents, sales and selections, for whom the record is visible. Who may not see a record does not see it in counts
and sums either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, FromClause, and_, case, exists, func, or_, select, true

from batchtask import crm7
from batchtask.definitions import TaskFailure
from batchtask.tables import sequence
from worker.tasks.crm.fields import NO_DATE_BEFORE, Condition, Expression
from worker.tasks.crm.table_numbers import load_table_numbers

OWNER, PRIMARY_GROUP, OTHER, OTHER_GROUP = 0, 1, 2, 3
_ALL = frozenset({OWNER, PRIMARY_GROUP, OTHER, OTHER_GROUP})
_ANONYMOUS_BIT, _EXTERNAL_BIT, _NO_SENTRY_BIT = 2, 4, 8
_RETIRED = 1


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody who reads the CRM; `sees` fits `catalogue.Catalogue`."""

    associate_id: int
    name: str = ""
    group_id: int = 0
    other_groups: frozenset[int] = frozenset()
    unrestricted: bool = False  #: the system, and applications that the CRM lets read everything
    #: By table: the relations to a record's owner in which it may be read; None = no data rights are defined at all.
    relations: Mapping[str, frozenset[int]] | None = None
    table_numbers: Mapping[str, int] = field(default_factory=dict)  #: of this database

    def sees(self, subject: str, row: FromClause) -> Condition:
        """Say which rows of a subject may be read; also of "selection lists", the selections themselves."""
        if self.unrestricted:
            return true()
        if subject == "selection":
            return self._sees_member(row)
        return and_(self._by_role(subject, row), self._by_visibility(subject, row))

    def sees_selection(self, row: FromClause) -> Condition:
        """Say which rows of `crm7.selection` may be read."""
        if self.unrestricted:
            return true()
        by_role = self._related("selection", row, row.c.associate_id, row.c.group_idx)
        return and_(by_role, self._visible("selection", row, row.c.selection_id))

    def sees_of_open_selections(self, subject: str, row: FromClause) -> Condition:
        """Say as `sees` which rows may be read, but of a selection all members: to name those who are left out."""
        if self.unrestricted or subject != "selection":
            return self.sees(subject, row)
        return self._of_open_selection(row)

    def reads_any(self, subject: str) -> bool:
        """Say whether the role lets the user read records of this subject at all."""
        return self.unrestricted or self.relations is None or bool(self._allowed(_TABLES[subject]))

    def _sees_member(self, row: FromClause) -> Condition:
        contact = crm7.contact.alias()
        readable = and_(contact.c.contact_id == row.c.contact_id, self.sees("contact", contact))
        return and_(self._of_open_selection(row), exists().where(readable).correlate(row))

    def _of_open_selection(self, row: FromClause) -> Condition:
        selection = crm7.selection.alias()
        readable = and_(selection.c.selection_id == row.c.selection_id, self.sees_selection(selection))
        return exists().where(readable).correlate(row)

    def _by_role(self, subject: str, row: FromClause) -> Condition:
        owner, group = _owner_of(subject, row)
        return self._related(_TABLES[subject], row, owner, group)

    def _related(self, table: str, row: FromClause, owner: Expression, group: Expression) -> Condition:
        allowed = self._allowed(table)
        if allowed == _ALL:
            return true()
        relation = case(
            (owner == self.associate_id, OWNER),
            (_group_of(owner, group, row) == self.group_id, PRIMARY_GROUP),
            (_group_of(owner, group, row).in_(self.other_groups), OTHER_GROUP),
            else_=OTHER,
        )
        return relation.in_(sorted(allowed))

    def _allowed(self, table: str) -> frozenset[int]:
        return _ALL if self.relations is None else self.relations.get(table, frozenset())

    def _by_visibility(self, subject: str, row: FromClause) -> Condition:
        if subject in {"appointment", "document"}:
            return self._visible("appointment", row, row.c.appointment_id)
        if subject == "sale":
            return self._visible("sale", row, row.c.sale_id)
        return true()

    def _visible(self, table: str, row: FromClause, key: Expression) -> Condition:
        """The owner sees the record, and whoever a row of `visiblefor` names."""
        visible = crm7.visiblefor.alias()
        groups = sorted({self.group_id, *self.other_groups} - {0})
        named = or_(
            visible.c.forall == 1, visible.c.forassocid == self.associate_id, visible.c.forgroupid.in_(groups)
        )
        # Where a table has no number, no row of `visiblefor` can mean it.
        table_number = self.table_numbers.get(table, 0)
        shared = exists().where(visible.c.tableid == table_number, visible.c.recordid == key, named).correlate(row)
        return or_(row.c.associate_id == self.associate_id, shared)


#: Whose data rights count for a subject.
_TABLES = {
    "contact": "contact",
    "person": "person",
    "sale": "sale",
    "project": "project",
    "appointment": "appointment",
    "document": "document",
    "selection": "selection",
}


def _owner_of(subject: str, row: FromClause) -> tuple[Expression, Expression]:
    if subject == "person":
        # A person belongs to whom the person names, else to the company's user.
        contact = crm7.contact.alias()
        of_contact = select(contact.c.associate_id).where(contact.c.contact_id == row.c.contact_id).correlate(row)
        owner = func.coalesce(func.nullif(row.c.associate_id, 0), of_contact.scalar_subquery(), 0)
        return owner, row.c.group_id
    group = "group_id" if subject in {"contact", "project"} else "group_idx"
    return func.coalesce(row.c.associate_id, 0), row.c[group]


def _group_of(owner: Expression, group: Expression, row: FromClause) -> Expression:
    """Return the group a record names, else the owner's of today."""
    associate = crm7.associate.alias()
    of_owner = select(associate.c.group_idx).where(associate.c.associate_id == owner).correlate(row)
    return func.coalesce(func.nullif(group, 0), of_owner.scalar_subquery(), 0)


def load_reader(connection: Connection, associate_id: int) -> Reader:
    """Find out what an associate may read; 0 is the system, which reads everything.

    Raises:
        TaskFailure: The user does not exist, has left, is not one of our own, or has no role.
    """
    if not associate_id:
        return Reader(associate_id=0, unrestricted=True)
    table = crm7.associate.c
    row = connection.execute(select(crm7.associate).where(table.associate_id == associate_id)).first()
    if row is None:
        raise TaskFailure(f"There is no user {associate_id}: somebody else must ask for this.")
    _refuse(row)
    relations = None if row.type and row.type & _NO_SENTRY_BIT else _relations(connection, row)
    return Reader(
        associate_id=associate_id,
        name=row.name,
        group_id=row.group_idx,
        other_groups=_other_groups(connection, associate_id),
        unrestricted=bool(row.type and row.type & _NO_SENTRY_BIT),
        relations=relations,
        table_numbers=load_table_numbers(connection),
    )


def _refuse(row: Any) -> None:
    kind = row.type or 0
    if (row.deleted or 0) == _RETIRED:
        raise TaskFailure(f"The user {row.name} has left, and so may read nothing: somebody else must ask for this.")
    if not kind & _NO_SENTRY_BIT and kind & (_ANONYMOUS_BIT | _EXTERNAL_BIT):
        raise TaskFailure(f"The user {row.name} is not an employee, and so may read nothing here.")


def _other_groups(connection: Connection, associate_id: int) -> frozenset[int]:
    table = crm7.usergrouplink.c
    now = func.localtimestamp()
    groups = select(table.usergroup_id).where(
        table.assoc_id == associate_id,
        or_(table.validfrom.is_(None), table.validfrom <= now),
        or_(table.validto.is_(None), table.validto < NO_DATE_BEFORE, table.validto >= now),
    )
    return frozenset(connection.execute(groups).scalars())


def _relations(connection: Connection, row: Any) -> dict[str, frozenset[int]] | None:
    if connection.execute(select(crm7.dataright.c.dataright_id).limit(1)).first() is None:
        return None
    link, role, right = crm7.userrolelink.c, crm7.role.c, crm7.dataright.c
    roles = (
        select(role.role_id)
        .join(crm7.userrolelink, link.role_id == role.role_id)
        .where(link.associate_id == row.associate_id, role.deleted == 0)
    )
    role_ids = connection.execute(roles).scalars().all()
    if not role_ids:
        raise TaskFailure(f"The user {row.name} has no role, and so may read nothing: an administrator can give one.")
    readable = (
        select(func.lower(sequence.c.tablename), right.relationtoowner)
        .join(sequence, sequence.c.tablenumber == right.tableid)
        .where(right.roleid.in_(role_ids), right.fieldid == 0, func.upper(right.crud).contains("R"))
    )
    found: dict[str, set[int]] = {}
    for table, relation in connection.execute(readable):
        found.setdefault(table, set()).add(relation)
    return {table: frozenset(relations) for table, relations in found.items()}
