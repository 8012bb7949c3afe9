"""The records of a report: which ones, in which order, and the expressions that stand in its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from batchtask.definitions import TaskFailure
from worker.tasks.crm.catalogue import Catalogue
from worker.tasks.crm.collations import TextOrder, text_order
from worker.tasks.crm.criteria import Node, condition, criteria_of
from worker.tasks.crm.fields import Condition, Expression, Field, Kind
from worker.tasks.crm.languages import Language
from worker.tasks.crm.operators import Asking
from worker.tasks.crm.subject import Subject
from worker.tasks.report.values import UNITS

_BATCH_ROWS = 1000
_SPACES = " \t\r\n\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}"


@dataclass(frozen=True, kw_only=True)
class Records:
    """The records of one subject that a user asks for and may read."""

    connection: Connection
    catalogue: Catalogue
    subject: Subject
    where: Condition
    order: TextOrder  #: of texts, for the reader

    def count(self) -> int:
        counted = select(func.count()).select_from(self.subject.table).where(self.where)
        return self.connection.execute(counted).scalar_one()

    def field(self, name: str) -> tuple[Field, str]:
        """Find a field of the records, and the unit that its dates are rounded down to.

        Raises:
            TaskFailure: There is no such field, or it is no date.
        """
        plain, unit = split_unit(name)
        found = self.catalogue.field(self.subject, plain, self.subject.table)
        if not unit:
            return found, ""
        if not found.kind.is_date:
            raise TaskFailure(f"{plain!r} is a {found.kind.value} field: only dates have {unit}s.")
        return replace(found, name=name, value=func.date_trunc(unit, found.value)), unit

    def select(self, values: Sequence[Expression]) -> Select[Any]:
        """Select values of the records; they go by `v0`, `v1`, ..."""
        named = [value.label(f"v{position}") for position, value in enumerate(values)]
        return select(*named).select_from(self.subject.table).where(self.where)

    def sorted_by(self, field: Field, value: Expression, *, descending: bool = False) -> list[Expression]:
        """Make what to ORDER BY; texts in the order of the reader's language, equal ones side by side."""
        keys = self.order.keys(value) if _is_text(field) else [value]
        return [key.desc().nulls_last() if descending else key.asc().nulls_last() for key in keys]

    @staticmethod
    def grouped_by(field: Field) -> Expression:
        """Make what a group has in common; spaces around a text make no other one, an empty text is none."""
        return func.nullif(func.btrim(field.value, _SPACES), "") if _is_text(field) else field.value

    def stream(self, query: Select[Any]) -> Iterator[Any]:
        """Yield rows without holding them all."""
        options = {"stream_results": True, "yield_per": _BATCH_ROWS}
        with closing(self.connection.execute(query, execution_options=options)) as rows:
            yield from rows


def find_records(
    connection: Connection,
    catalogue: Catalogue,
    subject: Subject,
    criteria: Node,
    *,
    asking: Asking,
    language: Language,
) -> Records:
    """Find the records that criteria hold for, without those deleted or hidden, and those the user may not read."""
    rows = subject.table
    parts = [subject.is_present(rows), catalogue.sees(subject.name, rows)]
    asked = {criterion.name.lower() for criterion in criteria_of(criteria)}
    if subject.hidden_flag and subject.hidden_flag not in asked:
        hidden = catalogue.field(subject, subject.hidden_flag, rows)
        parts.append(hidden.holds(lambda value: value == 0))
    parts.append(condition(catalogue, subject, criteria, asking))
    return Records(
        connection=connection,
        catalogue=catalogue,
        subject=subject,
        where=and_(*parts),
        order=text_order(connection, language),
    )


def _is_text(field: Field) -> bool:
    return field.kind is Kind.TEXT or (field.choices is not None and field.choices.rows is not None)


def split_unit(name: str) -> tuple[str, str]:
    """Split `date:month` into field and unit; there is none in `SuperOffice:3`."""
    plain, _, unit = name.rpartition(":")
    return (plain, unit) if plain and unit in UNITS else (name, "")
