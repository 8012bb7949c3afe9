"""Criteria in words, as they stand below the title of a report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import time

from sqlalchemy import Connection, select

from worker.tasks.crm.catalogue import Catalogue, is_without
from worker.tasks.crm.criteria import Criterion, Group, Node
from worker.tasks.crm.criterion_values import read_flag, read_moment, read_text
from worker.tasks.crm.fields import Choices, Definition, Kind
from worker.tasks.crm.headings import translate
from worker.tasks.crm.operators import canonical
from worker.tasks.crm.periods import UNITS
from worker.tasks.crm.subject import Subject
from worker.tasks.crm.subjects import SUBJECTS
from worker.tasks.report.values import Printer

SIGNS = {
    "is": ("=", "≠"), "oneof": ("=", "≠"), "less": ("<", "≥"), "greater": (">", "≤"), "lessequals": ("≤", ">"),
    "greaterequals": ("≥", "<"), "before": ("<", "≥"), "after": (">", "≤"), "beforetime": ("<", "≥"),
    "aftertime": ("≥", "<"), "between": ("=", "≠"),
}  # fmt: skip
#: What an operator asks, and what its denial does, where there is one.
WORDS = {
    "begins": ("begins with", "does not begin with"), "ends": ("ends with", "does not end with"),
    "contains": ("contains", "does not contain"), "isnull": ("is empty", "is not empty"),
    "currentassociate": ("= current user", "≠ current user"), "currentgroup": ("= current group", "≠ current group"),
    **{day: (day,) for day in ("today", "yesterday", "tomorrow")},
    "beforetoday": ("before today",), "aftertoday": ("after today",), "datetime": ("=",),
    **{f"{when}{unit}": (f"{when} {unit}",) for when in ("this", "last", "next")
       for unit in ("week", "month", "quarter", "year")},
    **{f"{when}half": (f"{when} half-year",) for when in ("this", "last", "next")},
    "lastdays": ("in the last days:",), "nextdays": ("in the next days:",),
    "beforedays": ("more days ago than:",), "afterdays": ("in more days than:",),
}  # fmt: skip
PERIODS = {
    "thisperiod": "in this period:", "nextperiod": "in the next periods:",
    "previousperiod": "in the previous periods:", "thisandnext": "now and next periods:",
    "thisandprevious": "now and previous periods:",
    "thispreviousandnext": "previous, this, next period:",
}  # fmt: skip
_MOST_VALUES = 20  #: of a criterion; a selection of companies by number may have thousands


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """Puts criteria on one subject into words of one language."""

    connection: Connection
    catalogue: Catalogue
    printer: Printer

    def lines(self, subject: Subject, criteria: Group) -> list[str]:
        """Say what was asked, a line per criterion that must hold."""
        found = []
        for member in criteria.members:
            if isinstance(member, Group) and not member.any and not member.denied:
                found.extend(self.lines(subject, member))
            else:
                found.append(self._say(subject, member))
        return found

    def _say(self, subject: Subject, node: Node) -> str:
        if isinstance(node, Criterion):
            return self._say_one(subject, node)
        joined = f" {self._word('or' if node.any else 'and')} ".join(
            f"({self._say(subject, member)})"
            if isinstance(member, Group) and len(member.members) > 1
            else self._say(subject, member)
            for member in node.members
        )
        return f"{self._word('not')} ({joined})" if node.denied else joined

    def _say_one(self, subject: Subject, criterion: Criterion) -> str:
        definition, path = self._find(subject, criterion.name)
        name, denied = canonical(criterion.operator)
        if name in PERIODS:
            return " ".join((path, self._word(PERIODS[name]), self._periods(criterion.values)))
        sign = SIGNS[name][denied] if name in SIGNS else self._word(WORDS.get(name, (name,))[denied])
        values = self._values(definition, criterion.values[:_MOST_VALUES])
        if (more := len(criterion.values) - _MOST_VALUES) > 0:
            values.append(self._word("and {count} more").format(count=more))
        return " ".join(part for part in (path, sign, (" – " if name == "between" else ", ").join(values)) if part)

    def _periods(self, values: Sequence[str]) -> str:
        """Say `2 × month`; criteria that are stored have a number for the unit."""
        *count, unit = (read_text(value).strip() for value in values)
        return " × ".join([*count, self._word(UNITS.get(unit, unit).lower())])

    def _find(self, subject: Subject, name: str) -> tuple[Definition | None, str]:
        """Return the field and its heading, behind those of the subjects on the way to it."""
        if found := self.catalogue.definition(subject, name):
            return found[1], self._word(found[1].heading)
        link, rest = self.catalogue.link(subject, name)
        if link is None:
            return None, name
        other = SUBJECTS[link.subject]
        definition, path = self._find(other, rest)
        first = self._word(name.partition("/")[0].removeprefix("without").capitalize())
        without = f"{self._word('not')} " if is_without(subject, name) else ""
        return definition, f"{without}{first}: {path}"

    def _values(self, definition: Definition | None, values: Sequence[str]) -> list[str]:
        texts = [read_text(value) for value in values]
        if definition is None or definition.choices is None:
            return [self._value(definition, value) for value in values]
        names = self._names(definition.choices, [int(text) for text in texts if text.isdecimal() and len(text) < 10])
        return [names.get(text, text) for text in texts]

    def _value(self, definition: Definition | None, value: str) -> str:
        kind = definition.kind if definition else Kind.TEXT
        if kind is Kind.FLAG:
            words = self.printer.words
            return words.yes if read_flag(value) else words.no
        if kind.is_date:
            # A number of days or periods stays a number.
            with suppress(ValueError):
                moment = read_moment(value)
                return self.printer.time(moment) if moment.time() != time.min else self.printer.day(moment)
        return read_text(value)

    def _names(self, choices: Choices, ids: Sequence[int]) -> dict[str, str]:
        if choices.rows is None:
            return {str(key): self._word(word) for key, word in choices.words.items()}
        rows = choices.rows.subquery()
        found = self.connection.execute(select(rows.c.key, rows.c.name).where(rows.c.key.in_(ids)))
        return {str(row.key): row.name for row in found}

    def _word(self, english: str) -> str:
        return translate(english, self.printer.language.code)
