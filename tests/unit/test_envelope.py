"""What travels: everything of ours survives the way, and nothing else raises anything but poison's own error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask import envelope
from batchtask.errors import MalformedMessage, MessageError, UnknownMessage
from batchtask.events import (
    EVENT_TYPES,
    AttemptStarted,
    AttemptTimedOut,
    CheckpointSaved,
    Event,
    RecordedEvent,
    TaskReplayed,
    TaskSubmitted,
)
from batchtask.messages import CancelTask, SubmitTask

TASK = UUID("01900000-0000-7000-8000-000000000001")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

text = st.text(max_size=8)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=4,
)
commands = st.one_of(
    st.builds(
        SubmitTask,
        name=st.text(min_size=1, max_size=254),
        submitted_at=moments,
        parameters=st.dictionaries(text, json_values, max_size=3),
        description=text,
        start_at=st.none() | moments,
        cancellation=st.integers(0, 2),
        schedule=text,
    ),
    st.builds(CancelTask, requested_at=moments, reason=text, force=st.booleans()),
)
#: What cannot be anything of its type. Limits are finite: tests/unit/test_settings.py holds that no other is taken.
NARROWED: dict[type[Event], st.SearchStrategy[Event]] = {
    TaskSubmitted: st.builds(TaskSubmitted, parameters=st.dictionaries(text, json_values, max_size=3), name=text),
    AttemptStarted: st.builds(AttemptStarted, lease_seconds=finite),
    CheckpointSaved: st.builds(CheckpointSaved, data=st.dictionaries(text, json_values, max_size=3)),
    TaskReplayed: st.builds(TaskReplayed, parameters=st.none() | st.dictionaries(text, json_values, max_size=3)),
    AttemptTimedOut: st.builds(AttemptTimedOut, limit_seconds=finite),
}
bodies: st.SearchStrategy[Event] = st.one_of(
    [NARROWED.get(event, st.builds(event)) for event in EVENT_TYPES.values()]
)
events = st.builds(RecordedEvent, st.uuids(), version=st.integers(0, 2**31 - 1), occurred_at=moments, body=bodies)


def command_body(**changes: Any) -> dict[str, Any]:
    command = SubmitTask(task_id=TASK, name="noop", submitted_at=AT)
    body: dict[str, Any] = json.loads(envelope.encode_command(command, source="/test"))
    return body | changes


def submission(name: str, value: Any) -> dict[str, Any]:
    data: dict[str, Any] = command_body()["data"]
    return data | {name: value}


def event_body(**changes: Any) -> dict[str, Any]:
    recorded = RecordedEvent(TASK, 3, AT, EVENT_TYPES["HeartbeatRecorded"](fence=1))
    [body] = json.loads(envelope.encode_events([recorded], source="/test"))
    assert isinstance(body, dict)
    return body | changes


@given(commands, st.none() | st.just(TRACEPARENT), st.none() | st.integers(0, 2**31 - 1))
@settings(max_examples=30)
def test_a_command_arrives_as_it_was_sent(
    command: SubmitTask | CancelTask, traceparent: str | None, release: int | None
) -> None:
    body = envelope.encode_command(command, source="/t", message_id="m", traceparent=traceparent, release=release)
    assert envelope.decode_command(body) == envelope.CommandMessage("m", command, traceparent, release)


@given(st.lists(events, max_size=4))
@settings(max_examples=30)
def test_a_batch_of_events_arrives_whole_and_in_order(batch: list[RecordedEvent]) -> None:
    assert envelope.decode_events(envelope.encode_events(batch, source="/test")) == batch


def test_each_submission_has_a_message_id_of_its_own() -> None:
    command = SubmitTask(task_id=TASK, name="noop", submitted_at=AT)
    ids = {envelope.decode_command(envelope.encode_command(command, source="/test")).message_id for _ in range(2)}
    assert len(ids) == 2


def test_fields_of_a_newer_release_are_ignored() -> None:
    body = command_body()
    body["data"]["colour"] = "red"
    message = envelope.decode_command(json.dumps(body | {"datacontenttype": "application/json"}).encode())
    assert message.command == SubmitTask(task_id=TASK, name="noop", submitted_at=AT)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"specversion": "0.3"}, MalformedMessage),
        ({"type": "com.example.other"}, MalformedMessage),
        ({"type": "batchtask.SubmitTask.v" + "9" * 5000}, MalformedMessage),
        ({"type": "batchtask.SubmitTask.v0"}, UnknownMessage),
        ({"type": "batchtask.SubmitTask.v2"}, UnknownMessage),
        ({"type": "batchtask.TaskSubmitted.v1"}, UnknownMessage),
        ({"time": "2026-01-02T03:04:05"}, MalformedMessage),
        ({"data": None}, MalformedMessage),
        ({"data": {}}, MalformedMessage),
        ({"data": [[]]}, MalformedMessage),
        ({"data": {"task_id": str(TASK), "name": "", "submitted_at": "2026-01-02T03:04:05Z"}}, MalformedMessage),
        ({"data": {"task_id": str(TASK), "name": "n", "submitted_at": "2026-01-02T03:04:05"}}, MalformedMessage),
        ({"subject": None}, MalformedMessage),
        ({"release": -1}, MalformedMessage),
        ({"release": "3"}, MalformedMessage),
        ({"data": submission("start_at", "2026-01-02T03:04:05")}, MalformedMessage),
        ({"data": submission("start_at", "9999-12-31T23:59:59Z")}, MalformedMessage),
        ({"data": submission("cancellation", 3)}, MalformedMessage),
        ({"time": "9999-12-31T23:59:59-14:00"}, MalformedMessage),
        (
            {"data": {"task_id": str(TASK), "name": "n", "submitted_at": "0001-01-01T00:00:00+14:00"}},
            MalformedMessage,
        ),
    ],
)
def test_a_command_that_is_not_ours_is_poison(changes: dict[str, Any], error: type[MessageError]) -> None:
    with pytest.raises(error):
        envelope.decode_command(json.dumps(command_body(**changes)).encode())


@pytest.mark.parametrize("missing", ["specversion", "id", "type", "source", "subject", "time", "data"])
def test_a_command_without_a_required_attribute_is_poison(missing: str) -> None:
    body = command_body()
    del body[missing]
    with pytest.raises(MalformedMessage, match=missing):
        envelope.decode_command(json.dumps(body).encode())


@pytest.mark.parametrize(
    "changes",
    [{"sequence": None}, {"sequence": -1}, {"sequence": 2**31}, {"sequence": "3"}, {"subject": "7"}, {"data": 1}],
)
def test_an_event_without_its_place_is_poison(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        envelope.decode_events(json.dumps([event_body(), event_body(**changes)]).encode())


def test_poison_says_which_task_it_belongs_to_where_the_envelope_can_be_read() -> None:
    with pytest.raises(UnknownMessage) as caught:
        envelope.decode_command(json.dumps(command_body(type="batchtask.SubmitTask.v9")).encode())
    assert caught.value.task_id == str(TASK)

    with pytest.raises(MalformedMessage) as malformed:
        envelope.decode_command(json.dumps(command_body(data={}, subject="nobody")).encode())
    assert malformed.value.task_id is None


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b"{}", b"null", b'"\\ud800"', b"{" * 10])
def test_a_body_that_is_no_envelope_is_poison(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        envelope.decode_command(body)
    with pytest.raises(MalformedMessage):
        envelope.decode_events(body)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=30)
def test_no_body_raises_anything_but_the_error_of_poison(body: bytes) -> None:
    for decode in (envelope.decode_command, envelope.decode_events):
        try:
            decode(body)
        except MessageError:
            continue


@given(st.sampled_from(sorted(command_body())), json_values)
@settings(max_examples=30)
def test_no_attribute_raises_anything_but_the_error_of_poison(attribute: str, value: object) -> None:
    try:
        envelope.decode_command(json.dumps(command_body(**{attribute: value})).encode())
    except MessageError:
        return


def test_changes_of_a_batch_are_read_without_the_events_themselves() -> None:
    batch = [
        RecordedEvent(TASK, 3, AT, CheckpointSaved(fence=1, data={})),
        RecordedEvent(TASK, 4, AT, TaskSubmitted(name="n")),
    ]
    body = envelope.encode_events(batch, source="test")
    assert envelope.changes(body) == [(TASK, 3), (TASK, 4)]
    assert envelope.changes(body.replace(b"CheckpointSaved", b"SomethingOfTomorrow")) == [(TASK, 3), (TASK, 4)]


@pytest.mark.parametrize(
    "damage", [(b'"sequence":3', b'"sequence":-3'), (b',"sequence":3', b""), (str(TASK).encode(), b"me")]
)
def test_changes_without_a_place_are_poison(damage: tuple[bytes, bytes]) -> None:
    body = envelope.encode_events([RecordedEvent(TASK, 3, AT, CheckpointSaved(fence=1, data={}))], source="test")
    assert damage[0] in body
    with pytest.raises(MalformedMessage):
        envelope.changes(body.replace(*damage))
