"""Which column each field gets: fields stay where they can, and only what fits is laid out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.udef.fields import Field, FieldType
from batchtask.udef.layout import STORAGES, LayoutRefused, lay_out

NUMBER, TEXT, LONG_TEXT, LABEL = FieldType.NUMBER, FieldType.SHORT_TEXT, FieldType.LONG_TEXT, FieldType.LABEL


def field(identity: int, kind: int = NUMBER, column: str | None = None, **columns: object) -> Field:
    return Field(id=identity, identity=identity, label=f"F{identity}", type=kind, column=column, **columns)  # type: ignore[arg-type]


def draft(identity: int, kind: int = NUMBER, **columns: object) -> Field:
    """The next generation of a field."""
    fields = {"id": 1000 + identity, "identity": identity, "label": f"F{identity}", "last_id": identity}
    return Field(**{**fields, "type": kind, "column": None, **columns})  # type: ignore[arg-type]


def columns(live: list[Field], new: list[Field]) -> list[str | None]:
    return [placed.column for placed in lay_out(live, new).fields]


def problems(live: list[Field], new: list[Field]) -> list[str]:
    with pytest.raises(LayoutRefused) as refused:
        lay_out(live, new)
    return list(refused.value.problems)


def test_a_field_that_does_not_change_stays_in_its_column() -> None:
    assert columns([field(1, column="long33")], [draft(1)]) == ["long33"]


def test_a_new_field_gets_the_first_free_column_behind_the_indexed_ones() -> None:
    assert columns([field(1, column="long05")], [draft(1), draft(2), draft(3, LONG_TEXT)]) == [
        "long05", "long06", "string45",
    ]  # fmt: skip


def test_an_index_moves_a_field_to_one_of_the_first_four_columns_and_back() -> None:
    assert columns([field(1, column="long05")], [draft(1, is_indexed=True)]) == ["long01"]
    assert columns([field(1, column="long01", is_indexed=True)], [draft(1)]) == ["long05"]


def test_another_type_moves_a_field_to_another_storage() -> None:
    [placed] = lay_out([field(1, column="long05")], [draft(1, TEXT)]).fields
    assert (placed.column, placed.source, placed.is_moved) == ("string05", "long05", True)


def test_a_label_has_no_column_and_takes_none() -> None:
    assert columns([], [draft(1, LABEL), draft(2)]) == [None, "long05"]


def test_a_field_that_is_not_in_the_draft_is_removed() -> None:
    live = [field(1, column="long05"), field(2, column="long06")]
    assert lay_out(live, [draft(2)]).removed == [live[0]]


def test_an_owner_has_room_for_119_fields_16_of_them_with_an_index() -> None:
    def some(kind: FieldType, count: int, first: int) -> list[Field]:
        return [draft(first + number, kind, is_indexed=number < 4) for number in range(count)]

    kinds = {NUMBER: 60, TEXT: 40, LONG_TEXT: 9, FieldType.DECIMAL: 10}
    full = [one for kind, count in kinds.items() for one in some(kind, count, 100 * kind)]
    assert len(set(columns([], full))) == 119
    which = "numbers, dates, checkboxes and lists"
    do = "and the draft has 1 more: remove fields or change their index."
    assert problems([], [*full, draft(1), draft(2, is_indexed=True)]) == [
        f"There is room for 56 {which} without an index, {do}",
        f"There is room for 4 {which} with an index, {do}",
    ]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    live = [field(1, LONG_TEXT, "string45"), field(2, FieldType.CHECKBOX, "long05")]
    found = problems(
        live,
        [
            draft(1, NUMBER),
            draft(2, FieldType.CHECKBOX, is_mandatory=True, is_read_only=True),
            draft(3, TEXT, text_length=40, prog_id="A.B.C"),
            draft(4, 42, prog_id="a.b.c"),
        ],
    )
    assert found == [
        "2 fields of the draft have the programmatic name 'a.b.c': change all but one.",
        "The field 'F1' is a long text and cannot become a number: keep its type, or add a new field.",
        "The field 'F2' cannot be both mandatory and read-only: choose one.",
        "The checkbox 'F2' cannot be mandatory: it always has a value.",
        "The field 'F3' may have 39 characters at most, not 40.",
        "The field 'F4' has the unknown type 42: choose another.",
    ]


def test_where_two_live_fields_have_one_identity_the_chain_of_generations_decides() -> None:
    first, second = field(1, column="long05"), field(2, column="long06")
    twin = Field(**{**vars(second), "identity": 1})
    assert columns([first, twin], [draft(1, last_id=2)]) == ["long06"]
    assert columns([first, twin], [draft(1, last_id=99)]) == ["long05"]


def test_a_field_without_identity_is_new() -> None:
    assert lay_out([field(0, column="long05")], [draft(0, last_id=77)]).fields[0].before is None


KINDS = st.sampled_from(sorted(STORAGES))
FIELDS = st.lists(st.tuples(KINDS, st.booleans()), max_size=20)


@given(FIELDS)
def test_no_two_fields_get_one_column_and_each_gets_one_of_its_kind(chosen: list[tuple[FieldType, bool]]) -> None:
    new = [draft(number, kind, is_indexed=indexed) for number, (kind, indexed) in enumerate(chosen, 1)]
    try:
        found = lay_out([], new).fields
    except LayoutRefused:
        return
    assert len({placed.column for placed in found}) == len(new)
    for placed in found:
        storage = STORAGES[FieldType(placed.field.type)]
        assert placed.column in storage.columns(indexed=placed.field.is_indexed)
