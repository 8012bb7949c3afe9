"""What a subject of reports and criteria is: a table, its fields, and its links to other subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import FromClause, Table, true

from worker.tasks.crm.fields import Condition, Definition

On = Callable[[FromClause, FromClause], Condition]  #: (row of the subject, row of the other table)


@dataclass(frozen=True, kw_only=True)
class Link:
    """A way from a subject's row to rows of another one."""

    subject: str
    on: On
    many: bool = False


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What reports and criteria are about."""

    name: str
    table: Table
    key: str
    fields: Mapping[str, Definition]
    links: Mapping[str, Link] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)  #: other names of fields
    udef_owner: str = ""  #: whose user-defined fields; see `batchtask.udef.owners`
    udef_row: On | None = None  #: the row of `document` that has them; None = the row itself has
    is_present: Callable[[FromClause], Condition] = lambda _: true()  #: not deleted
    hidden_flag: str = ""  #: rows with this flag are left out unless a criterion asks for it
