"""The carrier of the compatible API: its spelling, its dates, and what `$select` leaves of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchtask.http.carrier import (
    NEVER,
    BatchTaskInfo,
    BatchTaskState,
    date_text,
    read_select,
    read_state,
    select_properties,
)
from batchtask.http.problems import BadRequest
from batchtask.http.time_zones import zone_asked
from projections.carriers import parameter_object, state_name
from projections.rows import State

INFO = BatchTaskInfo(
    id=5012, name="mail-merge", associate_id=7, details_table=205, details_record=9001, is_system_task=False,
    is_internal_task=False, parameter_object={}, last_started=NEVER, created=NEVER, start_count=0,
    database_serial_number="", context="", result="", state="Aquired", description="", response="", request="",
    progress_description="", progress_percent=0, file_name="", cancellation_behaviour="CanCancel",
)  # fmt: skip
NAMES = [field.encode_name for field in msgspec.structs.fields(BatchTaskInfo)]


def test_the_states_are_those_of_the_rows_and_the_filter_value() -> None:
    assert {state.name: int(state) for state in BatchTaskState} == {
        **{state.name: int(state) for state in State}, "All": 99999,
    }  # fmt: skip
    assert state_name(2) == "Aquired"
    assert state_name(17) == "Unknown"


@pytest.mark.parametrize("text", ["Aquired", "aquired", " AQUIRED ", "2", 2])
def test_a_state_is_read_in_any_letter_case_or_by_its_number(text: str | int) -> None:
    assert read_state(text) is BatchTaskState.Aquired


@pytest.mark.parametrize("text", ["Acquired", "", "7", "-1", "02", "x" * 5000])
def test_what_is_no_state_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(BadRequest, match="there are Unknown, New, Aquired, Started, Succeeded, Failed,") as refused:
        read_state(text)
    assert len(refused.value.detail) < 300


@pytest.mark.parametrize(
    ("time", "zone", "expected"),
    [
        (None, None, NEVER),
        (datetime(2031, 2, 3, 9, 11, 12, 123456, UTC), None, "2031-02-03T09:11:12.1234560+00:00"),
        (datetime(2031, 2, 3, 9, 11, 12, 0, UTC), ZoneInfo("Europe/Oslo"), "2031-02-03T10:11:12.0000000+01:00"),
        (datetime(2031, 7, 3, 9, 0, 0, 1, UTC), ZoneInfo("Europe/Oslo"), "2031-07-03T11:00:00.0000010+02:00"),
        (datetime(2031, 7, 3, 9, tzinfo=UTC), ZoneInfo("America/St_Johns"), "2031-07-03T06:30:00.0000000-02:30"),
        (datetime(2031, 1, 1, tzinfo=timezone(timedelta(hours=5))), None, "2031-01-01T00:00:00.0000000+05:00"),
    ],
)
def test_dates_have_seven_digits_and_an_offset(time: datetime | None, zone: ZoneInfo | None, expected: str) -> None:
    assert date_text(time, zone) == expected


@pytest.mark.parametrize(("first", "second"), [("02:30+02:00", "02:30+01:00")])
def test_the_hour_that_clocks_repeat_is_told_apart_by_its_offset(first: str, second: str) -> None:
    oslo = ZoneInfo("Europe/Oslo")
    texts = [date_text(datetime(2026, 10, 25, hour, 30, tzinfo=UTC), oslo) for hour in (0, 1)]
    assert [text[11:16] + text[27:] for text in texts] == [first, second]


def test_an_old_zone_with_seconds_in_its_offset_is_still_read() -> None:
    text = date_text(datetime(1850, 1, 1, tzinfo=UTC), ZoneInfo("Europe/Oslo"))
    assert len(text) == len(NEVER)


@pytest.mark.parametrize("text", [None, "", " , ,"])
def test_nothing_selected_is_everything(text: str | None) -> None:
    assert read_select(text) is None
    assert select_properties(INFO, None) is INFO


@given(st.sets(st.sampled_from(NAMES), min_size=1), st.sampled_from([str.lower, str.upper, str.title]))
def test_what_is_selected_stays_and_the_rest_is_null(names: set[str], spelt: object) -> None:
    assert callable(spelt)
    selected = msgspec.to_builtins(select_properties(INFO, read_select(",".join(spelt(name) for name in names))))
    whole = msgspec.to_builtins(INFO)
    assert list(selected) == NAMES
    assert selected == {name: whole[name] if name in names else None for name in NAMES}


def test_an_unknown_property_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        BadRequest, match=r"'State2' is no property of BatchTaskInfo; there are Id, Name, AssociateId"
    ):
        read_select("State2")


def test_parameters_are_a_flat_dictionary_of_texts() -> None:
    given_parameters = {
        "id": 88,
        "text": "ø",
        "list": [1, "a"],
        "nothing": None,
        "yes": True,
        "deep": {"a": {"b": 1}},
    }
    assert parameter_object(given_parameters) == {
        "id": "88", "text": "ø", "list": '[1,"a"]', "nothing": "null", "yes": "true", "deep": '{"a":{"b":1}}',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Europe/Oslo", "Europe/Oslo"), (" europe/oslo ", "Europe/Oslo"), ("UTC", "UTC"), (None, None), ("", None),
        ("W. Europe Standard Time", None), ("../../etc/passwd", None), ("Europe", None), ("\0", None),
    ],
)  # fmt: skip
def test_a_zone_that_is_not_known_changes_nothing(header: str | None, expected: str | None) -> None:
    zone = zone_asked(header)
    assert (zone.key if zone else None) == expected
