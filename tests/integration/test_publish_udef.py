from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from batchtask import crm7
from batchtask.crm7 import allocate_ids
from batchtask.database import make_engine
from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.demo.sample_crm import load_sample_crm
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext, Killed, run_task
from batchtask.udef.fields import FieldType
from batchtask.udef.publishing import is_publishing
from tests.udef_support import LIVE, Udefs, publishing
from worker.tasks.publish_udef import publish_udef

RECORDS = [
    {"Points": 10, "Group": "Gold", "Share": 1.5, "Notes": "Ελληνικά"},
    {"Points": 0, "Group": "Sølv", "Share": None, "Notes": None},
    {"Points": None, "Group": "", "Share": -0.25, "Notes": "北京"},
]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def udefs(engine: Engine) -> Udefs:
    udefs = Udefs(engine)
    udefs.define(LIVE)
    udefs.fill(RECORDS)
    return udefs


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> FakeContext:
    return publishing(database_url, tmp_path)


def publish(context: FakeContext, **parameters: object) -> str:
    outcome = run_task(publish_udef, context, **{"owner": "contact", **parameters})
    assert isinstance(outcome, Succeeded)
    return outcome.response


def refusal(context: FakeContext, **parameters: object) -> str:
    with pytest.raises(TaskFailure) as failure:
        publish(context, **parameters)
    return str(failure.value)


def test_fields_are_added_moved_renamed_and_removed_and_no_value_is_lost(udefs: Udefs, context: FakeContext) -> None:
    udefs.add("Contract until", FieldType.DATE)
    udefs.edit("Points", fieldtype=FieldType.SHORT_TEXT, indexed=0)
    udefs.edit("Group", fieldlabel="Kundegruppe")
    udefs.remove("Share")
    udefs.start()

    answer = publish(context)

    assert answer == (
        "4 fields published for company: 1 added, 1 moved, 1 renamed, 1 removed; 6 values kept, 2 set aside."
    )
    assert udefs.columns() == {
        "Points": "string06", "Kundegruppe": "string05", "Notes": "string45", "Contract until": "long05",
    }  # fmt: skip
    assert udefs.seen() == [
        {"Points": "10", "Kundegruppe": "Gold", "Notes": "Ελληνικά", "Contract until": None},
        {"Points": "0", "Kundegruppe": "Sølv", "Notes": None, "Contract until": None},
        {"Points": None, "Kundegruppe": "", "Notes": "北京", "Contract until": None},
    ]


def test_every_conversion_of_the_table_keeps_what_fits(udefs: Udefs, engine: Engine, context: FakeContext) -> None:
    sale = Udefs(engine, "sale")
    segment = add_list(engine, ("Bokhandel", "Σχολείο"))
    kinds = {
        "whole": (FieldType.NUMBER, FieldType.DECIMAL, 2**31 - 1, 2147483647.0),
        "whole text": (FieldType.NUMBER, FieldType.SHORT_TEXT, -5, "-5"),
        "decimal": (FieldType.DECIMAL, FieldType.NUMBER, -3.0, -3),
        "decimal text": (FieldType.DECIMAL, FieldType.SHORT_TEXT, 0.1, "0.1"),
        "text": (FieldType.SHORT_TEXT, FieldType.NUMBER, " 42 ", 42),
        "blank": (FieldType.SHORT_TEXT, FieldType.NUMBER, "   ", None),
        "date": (FieldType.DATE, FieldType.UNLIMITED_DATE, 86400 * 365, "19710101"),
        "date text": (FieldType.DATE, FieldType.SHORT_TEXT, 86400 * 365, "1971-01-01"),
        "time text": (FieldType.DATE, FieldType.SHORT_TEXT, 86399, "1970-01-01 23:59:59"),
        "no date": (FieldType.DATE, FieldType.SHORT_TEXT, 0, None),
        "day": (FieldType.UNLIMITED_DATE, FieldType.SHORT_TEXT, "18140517", "1814-05-17"),
        "odd day": (FieldType.UNLIMITED_DATE, FieldType.SHORT_TEXT, "soon", "soon"),
        "box": (FieldType.CHECKBOX, FieldType.SHORT_TEXT, 1, "1"),
        "list": (FieldType.LIST, FieldType.SHORT_TEXT, segment[1], "Σχολείο"),
        "no choice": (FieldType.LIST, FieldType.SHORT_TEXT, 0, None),
    }
    prefixes = {FieldType.DECIMAL: "double", FieldType.SHORT_TEXT: "string", FieldType.UNLIMITED_DATE: "string"}
    sale.define(
        {
            label: (before, f"{prefixes.get(before, 'long')}{number:02}")
            for number, (label, (before, *_)) in enumerate(sorted(kinds.items(), key=lambda kind: -kind[1][0]), 1)
        }
    )
    sale.fill([{label: value for label, (_, _, value, _) in kinds.items()}])
    for label, (_, after, _, _) in kinds.items():
        sale.edit(label, fieldtype=after, indexed=0)
    sale.start()

    publish(context, owner="sale")

    assert sale.seen() == [{label: converted for label, (*_, converted) in kinds.items()}]


def add_list(engine: Engine, names: tuple[str, ...]) -> list[int]:
    with engine.begin() as connection:
        ids = list(allocate_ids(connection, crm7.udlist, len(names)))
        for number, name in zip(ids, names, strict=True):
            connection.execute(
                text("INSERT INTO crm7.udlist VALUES (:id, :name, 1, 0, NULL, now(), 0, now(), 0, 0, 1)"),
                {"id": number, "name": name},
            )
    return ids


def test_fields_may_change_places(udefs: Udefs, context: FakeContext) -> None:
    udefs.define_more({"First": (FieldType.NUMBER, "long02"), "Second": (FieldType.NUMBER, "long05")})
    udefs.fill([{"First": 1, "Second": 2}])
    udefs.edit("First", indexed=0)
    udefs.edit("Second", indexed=1)
    udefs.start()

    publish(context)

    assert (udefs.columns()["First"], udefs.columns()["Second"]) == ("long05", "long02")
    assert {name: udefs.seen()[-1][name] for name in ("First", "Second")} == {"First": 1, "Second": 2}


def test_values_that_do_not_fit_stop_everything_before_anything_is_touched(
    udefs: Udefs, context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    udefs.fill([{"Group": "007"}, {"Group": "99999999999"}, {"Group": "12"}])
    udefs.edit("Group", fieldtype=FieldType.NUMBER)
    udefs.start()
    before = udefs.dump()

    assert refusal(context) == (
        "4 values do not fit the new type of 'Group', such as 'Gold' of company 1: change them, or publish with "
        "misfits set-aside."
    )
    assert udefs.dump() == before
    assert "Group: '007' of company 4 does not fit" in caplog.messages


def test_values_that_do_not_fit_can_be_set_aside_and_read_again(
    udefs: Udefs, engine: Engine, context: FakeContext
) -> None:
    udefs.fill([{"Group": "007"}, {"Group": "12"}])
    udefs.edit("Group", fieldtype=FieldType.NUMBER)
    udefs.start()

    assert publish(context, misfits="set-aside").endswith("1 moved; 8 values kept, 3 set aside.")

    assert [record["Group"] for record in udefs.seen()] == [None, None, None, 7, 12]
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT field_label, values_id, value FROM batchtask.udef_former_value ORDER BY id")
        )
        assert [tuple(row) for row in found] == [("Group", 1, "Gold"), ("Group", 2, "Sølv"), ("Group", 4, "007")]


def test_a_list_that_gives_way_to_another_loses_no_choice_unasked(udefs: Udefs, context: FakeContext) -> None:
    udefs.define_more({"Segment": (FieldType.LIST, "long05")})
    udefs.fill([{"Segment": 3}])
    udefs.edit("Segment", udlistdefinition_id=2)
    udefs.start()

    assert "'3' of company 4" in refusal(context)


def test_a_draft_that_contradicts_itself_is_refused_with_all_reasons_in_the_log(
    udefs: Udefs, context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    udefs.edit("Notes", fieldtype=FieldType.NUMBER)
    udefs.edit("Points", mandatory=1, readonly=1)
    udefs.edit("Share", fieldtype=99)
    udefs.start()
    before = udefs.dump()

    assert refusal(context) == (
        "The field 'Points' cannot be both mandatory and read-only: choose one. (2 more problems in the log.)"
    )
    assert udefs.dump() == before
    assert len([line for line in caplog.messages if "field" in line]) == 3


def test_a_draft_without_fields_is_taken_for_a_mistake(udefs: Udefs, context: FakeContext) -> None:
    for label in LIVE:
        udefs.remove(label)
    udefs.start()

    assert "has no fields: revert it" in refusal(context)
    answer = publish(context, remove_all=True)

    assert answer == "0 fields published for company: 4 removed; 0 values kept, 8 set aside."


def test_without_a_draft_there_is_nothing_to_publish(udefs: Udefs, context: FakeContext) -> None:
    udefs.start()
    assert publish(context) == "There was nothing to publish for company: no field has changed."


def test_publishing_must_be_started_first(udefs: Udefs, context: FakeContext) -> None:
    udefs.edit("Points", fieldlabel="Poeng")
    assert "set the start flag (SetPublishStartSystemEvent) first" in refusal(context)


def test_only_an_administrator_may_publish(udefs: Udefs, engine: Engine, context: FakeContext) -> None:
    with engine.begin() as connection:
        crm = load_sample_crm(connection)
    udefs.start()
    context.owner = crm.associate_id + 1

    assert refusal(context).startswith("Only an administrator may publish user-defined fields")
    context.owner = crm.associate_id
    publish(context)


def test_a_stop_before_the_commit_leaves_everything_as_it_was(
    udefs: Udefs, engine: Engine, context: FakeContext
) -> None:
    udefs.edit("Points", indexed=0)
    udefs.start()
    before = udefs.dump()
    stopped = 0
    for context.cancel_after in range(10):
        context.safe_points = 0
        try:
            publish(context)
        except CancelledByRequest:
            stopped += 1
            assert udefs.dump() == before
    assert stopped == 3
    assert udefs.columns()["Points"] == "long05"


def test_a_process_that_dies_anywhere_is_followed_by_one_that_finishes(udefs: Udefs, context: FakeContext) -> None:
    udefs.edit("Points", indexed=0)
    udefs.start()
    before, deaths = udefs.dump(), 0
    for deaths in range(10):
        context.next_attempt()
        context.safe_points, context.killed_after = 0, deaths
        try:
            answer = publish(context)
        except Killed:
            assert udefs.dump() == before
        else:
            break
    assert deaths == 3
    context.next_attempt()
    assert publish(context) == answer == "4 fields published for company: 1 moved; 8 values kept."


def test_a_field_whose_column_is_nowhere_gets_one_and_a_field_of_a_stranger_stays_alone(
    udefs: Udefs, context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    udefs.define_more({"Nowhere": (FieldType.NUMBER, "nosuch"), "Wrong": (FieldType.NUMBER, "string06")})
    udefs.edit("Nowhere", fieldlabel="Somewhere")
    udefs.start()

    publish(context)

    assert (udefs.columns()["Somewhere"], udefs.columns()["Wrong"]) == ("long05", "long06")
    assert "the field 'Nowhere' points at no column that could hold it: it had no values" in caplog.messages


def test_two_live_fields_in_one_column_get_a_column_each_with_the_values_both_have_shown(
    udefs: Udefs, context: FakeContext
) -> None:
    udefs.define_more({"Twin": (FieldType.SHORT_TEXT, "string05")})
    udefs.edit("Points", fieldlabel="Poeng")
    udefs.start()

    publish(context)

    assert {udefs.columns()["Twin"], udefs.columns()["Group"]} == {"string05", "string06"}
    assert [record["Twin"] for record in udefs.seen()] == ["Gold", "Sølv", ""]
    assert [record["Group"] for record in udefs.seen()] == ["Gold", "Sølv", ""]


def test_two_fields_of_one_identity_are_refused(udefs: Udefs, context: FakeContext) -> None:
    udefs.edit("Points", udefidentity=2)
    udefs.start()
    assert refusal(context) == "Two fields, one of them 'Points', have the same identity 2: remove one."


def test_preferences_that_hold_no_number_are_named(udefs: Udefs, engine: Engine, context: FakeContext) -> None:
    udefs.start()
    with engine.begin() as connection:
        connection.execute(text("UPDATE crm7.userpreference SET prefvalue = 'zwei' WHERE prefkey LIKE 'Admin%'"))
    assert refusal(context) == (
        "The preference System/AdminUdefVersioncontact must be a version number, not 'zwei': mend it."
    )


def test_what_lies_in_an_unused_column_does_not_become_a_new_fields_value(
    udefs: Udefs, engine: Engine, context: FakeContext
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE crm7.udcontactsmall SET long05 = 666"))
    udefs.add("New", FieldType.NUMBER)
    udefs.start()

    publish(context)

    assert [record["New"] for record in udefs.seen()] == [None, None, None]


def test_all_generations_of_a_field_are_chained_and_all_fields_have_the_new_version(
    udefs: Udefs, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    for name in ("Poeng", "Punkte"):
        udefs.edit(next(iter(udefs.columns())), fieldlabel=name)
        udefs.start()
        publish(publishing(database_url, tmp_path))
    with engine.connect() as connection:
        chain = connection.execute(
            text("""
                SELECT udefidentity, array_agg(version ORDER BY version),
                    bool_and(lastversionid = coalesce(before, 0))
                FROM (SELECT *, lag(udeffield_id) OVER (PARTITION BY udefidentity ORDER BY version) AS before
                      FROM crm7.udeffield) AS field GROUP BY udefidentity
            """)
        )
        assert sorted(tuple(row) for row in chain) == [(identity, [1, 2, 3], True) for identity in (1, 2, 3, 4)]


def test_the_sample_draft_is_published(engine: Engine, context: FakeContext) -> None:
    with engine.begin() as connection:
        load_sample_crm(connection)
    Udefs(engine).start()
    assert publish(context) == (
        "6 fields published for company: 1 added, 1 moved, 1 renamed, 1 removed; 374 values kept, 187 set aside."
    )
    with engine.connect() as connection:
        assert not is_publishing(connection, Udefs(engine).owner)
