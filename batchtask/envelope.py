"""The envelope of everything on the broker: CloudEvents 1.0 in structured JSON.

A command travels alone (`application/cloudevents+json`), events travel as a batch, in stream order per task
(`application/cloudevents-batch+json`). Formats: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
Extension attributes: `sequence` (version in the stream), `release`, and `traceparent` (https://www.w3.org/TR/trace-context/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec

from batchtask import upcasters
from batchtask.errors import MalformedMessage, MessageError
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId, uuid7
from batchtask.messages import AwareDatetime, Command, SubmitTask, require_storable_time

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
SPECVERSION = "1.0"
TYPE_PREFIX = "batchtask."

T = TypeVar("T")
Version = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]  #: a stream's versions, as the database keeps them


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One CloudEvent; `data` stays raw until its type is known."""

    specversion: str
    id: str  #: new each time a command is submitted, also when the same task is submitted again
    type: str  #: `batchtask.<name>.v<version>`
    source: str
    subject: str  #: task id
    time: AwareDatetime
    data: msgspec.Raw
    sequence: Version | None = None  #: events: version in the stream
    release: Version | None = None  #: commands of the scheduler: version of the wait that this ends
    traceparent: str | None = None

    def __post_init__(self) -> None:
        if self.specversion != SPECVERSION:
            raise ValueError(f"CloudEvents specversion {self.specversion!r} is not {SPECVERSION}")
        require_storable_time(self.time)


class CommandMessage(msgspec.Struct, frozen=True):
    """A command as it arrived."""

    message_id: str
    command: Command
    traceparent: str | None
    release: int | None = None


_TYPE = re.compile(rf"{re.escape(TYPE_PREFIX)}([A-Za-z]+)\.v(\d{{1,4}})")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)
_batch_decoder = msgspec.json.Decoder(list[Envelope])


def encode_command(
    command: Command,
    *,
    source: str,
    message_id: str = "",
    traceparent: str | None = None,
    release: int | None = None,
) -> bytes:
    name = upcasters.commands.name(command)
    at = command.submitted_at if isinstance(command, SubmitTask) else command.requested_at
    return _encoder.encode(
        Envelope(
            specversion=SPECVERSION,
            id=message_id or str(uuid7()),
            type=_type(name, upcasters.commands.version(name)),
            source=source,
            subject=str(command.task_id),
            time=at,
            data=msgspec.Raw(upcasters.commands.encode(command)),
            release=release,
            traceparent=traceparent,
        )
    )


def decode_command(body: bytes) -> CommandMessage:
    """Read one command.

    Raises:
        MessageError: Poison. Its `task_id` is filled when the envelope was readable and named one.
    """
    envelope = _read(_decoder, body)
    try:
        name, version = _name_and_version(envelope.type)
        command = upcasters.commands.decode(name, version, envelope.data)
    except MessageError as error:
        raise type(error)(error.reason, _task_id_or_none(envelope.subject)) from error
    return CommandMessage(envelope.id, command, envelope.traceparent, envelope.release)


def encode_events(events: Iterable[RecordedEvent], *, source: str) -> bytes:
    return _encoder.encode([_event_envelope(event, source) for event in events])


def decode_events(body: bytes) -> Sequence[RecordedEvent]:
    """Read a batch of events.

    Raises:
        MessageError: Poison.
    """
    return [_recorded(envelope) for envelope in _read(_batch_decoder, body)]


def changes(body: bytes) -> Sequence[tuple[TaskId, int]]:
    """Read of a batch of events only which task changed and to which version; a quarter of the work of reading all.

    Raises:
        MessageError: Poison.
    """
    return [_place(envelope) for envelope in _read(_batch_decoder, body)]


def _event_envelope(event: RecordedEvent, source: str) -> Envelope:
    name = upcasters.events.name(event.body)
    return Envelope(
        specversion=SPECVERSION,
        id=f"{event.task_id}/{event.version}",
        type=_type(name, upcasters.events.version(name)),
        source=source,
        subject=str(event.task_id),
        time=event.occurred_at,
        data=msgspec.Raw(upcasters.events.encode(event.body)),
        sequence=event.version,
    )


def _recorded(envelope: Envelope) -> RecordedEvent:
    name, version = _name_and_version(envelope.type)
    task_id, sequence = _place(envelope)
    return RecordedEvent(task_id, sequence, envelope.time, upcasters.events.decode(name, version, envelope.data))


def _place(envelope: Envelope) -> tuple[TaskId, int]:
    task_id = _task_id_or_none(envelope.subject)
    if task_id is None or envelope.sequence is None:
        raise MalformedMessage(f"event {envelope.id!r} lacks a task id as subject, or a sequence")
    return TaskId(UUID(task_id)), envelope.sequence


def _read(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(f"not a CloudEvents envelope: {error}") from error


def _type(name: str, version: int) -> str:
    return f"{TYPE_PREFIX}{name}.v{version}"


def _name_and_version(type_: str) -> tuple[str, int]:
    match = _TYPE.fullmatch(type_)
    if match is None:
        raise MalformedMessage(f"type {type_!r} is not {TYPE_PREFIX}<name>.v<version>")
    return match[1], int(match[2])


def _task_id_or_none(subject: str) -> str | None:
    try:
        return str(UUID(subject))
    except ValueError:
        return None
