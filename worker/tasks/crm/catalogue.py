"""Finds fields by name, also across links and among the user-defined ones, as one user may read them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import FromClause, and_, exists, select, true

from batchtask.definitions import TaskFailure
from worker.tasks.crm.fields import Condition, Definition, Expression, Field, Sees, Test
from worker.tasks.crm.subject import Link, Subject
from worker.tasks.crm.subjects import SUBJECTS

_WITHOUT = "without"
_FURTHEST = 8  #: slashes in a name; a guess: nobody asks for more, and the database has to join them all
_SHOWN = 60  #: characters of a name that is not known, and
_SHOWN_NAMES = 20  #: names that are: a sentence has to end


def everything(_subject: str, _row: FromClause) -> Condition:
    """Let all rows be read: what the system itself asks for."""
    return true()


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The fields of all subjects, as one user sees them."""

    sees: Sees = everything
    #: User-defined fields by subject and lower-case name; see `user_fields`.
    udefs: Mapping[str, Mapping[str, Definition]] = field(default_factory=dict)

    def field(self, subject: Subject, name: str, base: FromClause) -> Field:
        """Find a field of the rows of `base`.

        The name may be the catalogue's in any case, an alias, or `link/name` for a field of the record linked to.

        Raises:
            TaskFailure: There is no such field; names similar ones.
        """
        if found := self.definition(subject, name):
            own_name, definition = found
            reading = definition.read(base, self.sees)
            return Field(
                name=own_name,
                kind=definition.kind,
                heading=definition.heading,
                value=reading.value,
                holds=reading.holds,
                choices=definition.choices,
            )
        link, rest = self.link(subject, name)
        if link is None or link.many:
            raise self._unknown(subject, name, many=link is not None)
        return self._linked(link, rest, name, base)

    def definition(self, subject: Subject, name: str) -> tuple[str, Definition] | None:
        """Find a field of the subject itself with the name that it goes by; None if it has none."""
        wanted = name.strip().lower()
        lowered = {known.lower(): known for known in subject.fields}
        alias = {known.lower(): target for known, target in subject.aliases.items()}.get(wanted, "")
        if own := lowered.get(wanted) or alias:
            return own, subject.fields[own]
        definition = self.udefs.get(subject.name, {}).get(_without_prefix(wanted))
        return (name.strip(), definition) if definition else None

    def link(self, subject: Subject, name: str) -> tuple[Link | None, str]:
        """Split `link/name`; no link if the first part is none.

        Raises:
            TaskFailure: The name leads further than anybody means: from companies to projects and back, say.
        """
        if name.count("/") > _FURTHEST:
            raise TaskFailure(
                f"The field {name[:_SHOWN]!r}… leads over more than {_FURTHEST - 1} records: use fewer."
            )
        first, _, rest = name.strip().partition("/")
        links = {known.lower(): link for known, link in subject.links.items()}
        link = links.get(first.lower()) or links.get(first.lower().removeprefix(_WITHOUT))
        return (link, rest) if link and rest else (None, name)

    def names(self, subject: Subject) -> list[str]:
        """Return the names of a subject's own fields, but for bare columns of user-defined ones."""
        udefs = (name for name in self.udefs.get(subject.name, {}) if not name.startswith("udef."))
        return [*subject.fields, *subject.aliases, *udefs]

    def related(self, link: Link, base: FromClause, row: FromClause) -> Condition:
        """Say that `row` is one that the link leads to from `base`, is not deleted and may be read."""
        subject = SUBJECTS[link.subject]
        return and_(link.on(base, row), subject.is_present(row), self.sees(subject.name, row))

    def _linked(self, link: Link, rest: str, name: str, base: FromClause) -> Field:
        subject = SUBJECTS[link.subject]
        row = subject.table.alias()
        inner = self.field(subject, rest, row)
        related = self.related(link, base, row)

        def holds(test: Test) -> Condition:
            return exists().where(and_(related, inner.holds(test))).correlate(base)

        value: Expression = select(inner.value).where(related).limit(1).correlate(base).scalar_subquery()
        return Field(
            name=name, kind=inner.kind, heading=inner.heading, value=value, holds=holds, choices=inner.choices
        )

    def _unknown(self, subject: Subject, name: str, *, many: bool) -> TaskFailure:
        if many:
            return TaskFailure(
                f"{name!r} can be asked for, but it is not one value: a {subject.name} has many of them."
            )
        return TaskFailure(f"A {subject.name} has no field {name[:_SHOWN]!r}. {self.suggest(subject, name)}")

    def suggest(self, subject: Subject, name: str) -> str:
        """Say what could have been meant by an unknown field's name."""
        known = [*self.names(subject), *(f"{link}/…" for link in subject.links)]
        link, rest = self.link(subject, name)
        if link:
            known = [f"{name[: -len(rest)]}{inner}" for inner in self.names(SUBJECTS[link.subject])]
        return did_you_mean(name, known)


def find_subject(name: str) -> Subject:
    """Find a subject by name.

    Raises:
        TaskFailure: There is none.
    """
    try:
        return SUBJECTS[name]
    except KeyError:
        raise TaskFailure(f"Nothing is known about {name!r}. {did_you_mean(name, SUBJECTS)}") from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Name what is like `name`, or else everything."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(by_lower[one] for one in close)}?"
    names = list(by_lower.values())
    more = len(names) - _SHOWN_NAMES
    return f"Known are {', '.join(names[:_SHOWN_NAMES])}{f' and {more} more' if more > 0 else ''}."


def is_without(subject: Subject, name: str) -> bool:
    """Say whether `name` begins with a link that is denied, such as `withoutSale/amount`."""
    first = name.strip().partition("/")[0].lower()
    return first not in {known.lower() for known in subject.links} and first.startswith(_WITHOUT)


def _without_prefix(name: str) -> str:
    """Drop what archives write before a user-defined field: `contactUdef/SuperOffice:3`."""
    first, slash, rest = name.partition("/")
    return rest if slash and first.endswith("udef") else name
