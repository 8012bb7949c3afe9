"""The kinds of records that status monitors and counters belong to, and how one SQL serves all three."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from worker.tasks.crm.table_numbers import load_table_numbers


@dataclass(frozen=True, kw_only=True)
class OwnerKind:
    """One kind of record."""

    subject: str  #: in the catalogue of fields; also the name of the table
    plural: str  #: for users
    #: What may make a criterion true or false, by table the column that names the record.
    sources: dict[str, str]
    table_number: int = 0  #: of this database

    @property
    def key(self) -> str:
        """Name of the column that names a record of this kind, in every table of the CRM."""
        return f"{self.subject}_id"

    def columns(self, value: str) -> str:
        """Return the SQL of the values for contact_id, person_id and project_id: `value` for this kind, else 0."""
        return ", ".join(value if kind.subject == self.subject else "0" for kind in _KINDS)


def _kind(subject: str, plural: str, *more: str) -> OwnerKind:
    key = f"{subject}_id"
    return OwnerKind(
        subject=subject, plural=plural, sources=dict.fromkeys((subject, "appointment", "sale", *more), key)
    )


_KINDS = (
    _kind("contact", "companies", "person"),
    _kind("person", "persons"),
    _kind("project", "projects", "projectmember"),
)


def load_kinds(connection: Connection) -> dict[int, OwnerKind]:
    """Return all kinds by table number."""
    numbers = load_table_numbers(connection)
    kinds = [replace(kind, table_number=numbers[kind.subject]) for kind in _KINDS]
    return {kind.table_number: kind for kind in kinds}
