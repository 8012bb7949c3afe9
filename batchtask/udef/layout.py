"""Which column each field of a draft gets, and whether the draft may be published at all. Pure.

A field stays in its column as long as its type and its index flag allow. The first four columns of each storage are
the indexed ones: indexed fields get those, and only they do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from batchtask.udef.fields import TYPE_NAMES, Field, FieldType

INDEXED_COLUMNS = 4


@dataclass(frozen=True)
class Storage:
    """Columns of one kind in an owner's value tables."""

    prefix: str
    first: int
    last: int
    holds: str  #: for users

    def __contains__(self, column: str | None) -> bool:
        return column in self.columns(indexed=True) or column in self.columns(indexed=False)

    def columns(self, *, indexed: bool) -> list[str]:
        border = self.first + INDEXED_COLUMNS
        numbers = range(self.first, border) if indexed else range(border, self.last + 1)
        return [f"{self.prefix}{number:02}" for number in numbers]


_WHOLE = Storage("long", 1, 60, "numbers, dates, checkboxes and lists")
_SHORT = Storage("string", 1, 40, "short texts and unlimited dates")
_LONG = Storage("string", 41, 49, "long texts")
_DECIMAL = Storage("double", 1, 10, "decimal numbers")

STORAGES: Mapping[FieldType, Storage] = {
    FieldType.NUMBER: _WHOLE,
    FieldType.DATE: _WHOLE,
    FieldType.CHECKBOX: _WHOLE,
    FieldType.LIST: _WHOLE,
    FieldType.SHORT_TEXT: _SHORT,
    FieldType.UNLIMITED_DATE: _SHORT,
    FieldType.LONG_TEXT: _LONG,
    FieldType.DECIMAL: _DECIMAL,
}

#: What else a type can become.
CONVERTIBLE: Mapping[FieldType, frozenset[FieldType]] = {
    FieldType.NUMBER: frozenset({FieldType.DECIMAL, FieldType.SHORT_TEXT}),
    FieldType.DECIMAL: frozenset({FieldType.NUMBER, FieldType.SHORT_TEXT}),
    FieldType.SHORT_TEXT: frozenset({FieldType.NUMBER}),
    FieldType.DATE: frozenset({FieldType.SHORT_TEXT, FieldType.UNLIMITED_DATE}),
    FieldType.UNLIMITED_DATE: frozenset({FieldType.SHORT_TEXT}),
    FieldType.CHECKBOX: frozenset({FieldType.SHORT_TEXT}),
    FieldType.LIST: frozenset({FieldType.SHORT_TEXT}),
}

#: Characters.
_LONGEST_TEXT = {FieldType.SHORT_TEXT: 39, FieldType.LONG_TEXT: 199}


def source(field: Field) -> str | None:
    """Return the column where a live field has its values; None if it has none that could be read as its type."""
    storage = STORAGES.get(FieldType(field.type)) if field.type in STORAGES else None
    return field.column if storage is not None and field.column in storage else None


@dataclass(frozen=True)
class Placed:
    """A field of the draft, what it was before, and the column that it gets."""

    field: Field
    before: Field | None  #: None = new
    column: str | None  #: None = it has no values

    @property
    def source(self) -> str | None:
        """Where its values are now."""
        return source(self.before) if self.before else None

    @property
    def is_moved(self) -> bool:
        return self.source is not None and self.source != self.column

    @property
    def is_renamed(self) -> bool:
        return self.before is not None and self.before.label != self.field.label


@dataclass(frozen=True)
class Layout:
    """A draft that may be published."""

    fields: Sequence[Placed]
    removed: Sequence[Field]


class LayoutRefused(Exception):
    """A draft contradicts itself, or does not fit."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = problems  #: each a sentence for users

    def __str__(self) -> str:
        more = len(self.problems) - 1
        return self.problems[0] + (f" ({more} more problem{'s' * (more > 1)} in the log.)" if more else "")


def lay_out(live: Sequence[Field], draft: Sequence[Field]) -> Layout:
    """Give every field of a draft its column.

    Raises:
        LayoutRefused: Says everything that is wrong.
    """
    known = _Known(live)
    pairs = [(field, known.before(field)) for field in draft]
    problems = [*_problems_of_all(draft), *(problem for pair in pairs for problem in _problems(*pair))]
    columns = {} if problems else _columns(pairs)
    problems += _too_many(field for field, _ in pairs if not problems and field.id not in columns)
    if problems:
        raise LayoutRefused(problems)
    kept = {before.id for _, before in pairs if before}
    return Layout(
        fields=[Placed(field, before, columns[field.id]) for field, before in pairs],
        removed=[field for field in live if field.id not in kept],
    )


class _Known:
    """The live fields, by what a draft knows them by."""

    def __init__(self, live: Sequence[Field]) -> None:
        self._by_id = {field.id: field for field in live}
        self._by_identity = {field.identity: field for field in reversed(live) if field.identity}

    def before(self, field: Field) -> Field | None:
        """The identity decides; the chain of generations only where several live fields have one identity."""
        chained = self._by_id.get(field.last_id)
        if chained is not None and chained.identity == field.identity:
            return chained
        return self._by_identity.get(field.identity)


def _columns(pairs: Sequence[tuple[Field, Field | None]]) -> dict[int, str | None]:
    """Columns by the fields' ids; a field for which none is free is missing."""
    columns: dict[int, str | None] = {}
    homeless: list[Field] = []
    taken: set[str] = set()
    for field, before in pairs:
        storage = STORAGES.get(FieldType(field.type))
        stays = before.column if before and before.type == field.type else None
        if storage is None:
            columns[field.id] = None
        elif stays in storage.columns(indexed=field.is_indexed) and stays not in taken:
            columns[field.id] = stays
            taken.add(stays)
        else:
            homeless.append(field)
    for field in homeless:
        choice = STORAGES[FieldType(field.type)].columns(indexed=field.is_indexed)
        free = next((column for column in choice if column not in taken), None)
        if free is not None:
            columns[field.id] = free
            taken.add(free)
    return columns


def _problems(field: Field, before: Field | None) -> Iterator[str]:
    if field.type not in TYPE_NAMES:
        yield f"The field {field.name!r} has the unknown type {field.type}: choose another."
        return
    kind = FieldType(field.type)
    if field.is_mandatory and field.is_read_only:
        yield f"The field {field.name!r} cannot be both mandatory and read-only: choose one."
    if field.is_mandatory and kind is FieldType.CHECKBOX:
        yield f"The checkbox {field.name!r} cannot be mandatory: it always has a value."
    if field.text_length > (most := _LONGEST_TEXT.get(kind, field.text_length)):
        yield f"The field {field.name!r} may have {most} characters at most, not {field.text_length}."
    if before is not None and before.type in STORAGES and not _can_become(before, kind):
        yield (
            f"The field {field.name!r} is a {TYPE_NAMES[FieldType(before.type)]} and cannot become "
            f"a {TYPE_NAMES[kind]}: keep its type, or add a new field."
        )


def _can_become(before: Field, kind: FieldType) -> bool:
    known = FieldType(before.type)
    return kind is known or kind in CONVERTIBLE.get(known, frozenset())


def _problems_of_all(draft: Sequence[Field]) -> Iterator[str]:
    identities = Counter(field.identity for field in draft if field.identity)
    for field in draft:
        if identities[field.identity] > 1:
            yield f"Two fields, one of them {field.name!r}, have the same identity {field.identity}: remove one."
            identities[field.identity] = 0
    prog_ids = Counter(field.prog_id.lower() for field in draft if field.prog_id)
    for prog_id, count in prog_ids.items():
        if count > 1:
            yield f"{count} fields of the draft have the programmatic name {prog_id!r}: change all but one."


def _too_many(homeless: Iterable[Field]) -> Iterator[str]:
    counts = Counter((STORAGES[FieldType(field.type)], field.is_indexed) for field in homeless)
    for (storage, indexed), count in counts.items():
        most = len(storage.columns(indexed=indexed))
        kind = f"{storage.holds} {'with' if indexed else 'without'} an index"
        yield f"There is room for {most} {kind}, and the draft has {count} more: remove fields or change their index."
