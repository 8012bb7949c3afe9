"""From a caller's wish to a confirmed message: checked, given an id, encoded, published. Shared by both clients."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from batchtask import envelope
from batchtask.definitions import Registry
from batchtask.errors import InvalidParameters, MessageError, PublishError
from batchtask.identifiers import TaskId
from batchtask.messages import CancelTask, SubmitTask
from batchtask.parameters import checked_parameters, require_storable
from batchtask.payloads import LARGEST_MESSAGE_BYTES, PayloadStore
from batchtask.publishing import Message, Publishes, publish_all
from batchtask.topology import CANCEL_KEY, COMMANDS, LATER_KEY, SUBMIT_KEY
from producer.task_request import TaskRequest

SOURCE = f"/batchtask/producer/{socket.gethostname()}/{os.getpid()}"


class InvalidCancellation(InvalidParameters):
    """A wish to cancel that no reader could read; nothing was published."""

    def __str__(self) -> str:
        return f"the wish to cancel does not fit: {self.problem}"


class SubmitManyFailed(PublishError):
    """Some of many submissions were not confirmed; the others were.

    Submit the requests in `failed` again: they keep their ids, so none becomes two tasks.
    """

    def __init__(self, confirmed: Sequence[TaskId], failed: Mapping[TaskId, PublishError]) -> None:
        super().__init__(confirmed, failed)
        self.confirmed = tuple(confirmed)
        self.failed = dict(failed)

    def __str__(self) -> str:
        first = next(iter(self.failed.values()))
        return f"{len(self.failed)} of {len(self.failed) + len(self.confirmed)} tasks failed; the first: {first}"


@dataclass(frozen=True)
class Submission:
    """A checked request, ready to publish."""

    task_id: TaskId
    body: bytes
    type: str
    routing_key: str


async def publish(publisher: Publishes, submissions: Sequence[Submission], *, submit_seconds: float) -> None:
    """Publish all and return when each is confirmed.

    Raises:
        PublishUnconfirmed, PublishReturned: What happened to the one submission.
        SubmitManyFailed: What happened to some of many.
        TopologyMismatch: The broker has other queues than ours.
    """
    messages = [_message(submission) for submission in submissions]
    failed = await publish_all(publisher, messages, deadline_seconds=submit_seconds)
    if failed and len(submissions) == 1:
        raise failed[0]
    if failed:
        confirmed = [entry.task_id for index, entry in enumerate(submissions) if index not in failed]
        raise SubmitManyFailed(confirmed, {submissions[index].task_id: error for index, error in failed.items()})


def _message(submission: Submission) -> Message:
    return Message(
        exchange=COMMANDS.name,
        routing_key=submission.routing_key,
        body=submission.body,
        message_id=str(submission.task_id),
        type=submission.type,
        content_type=envelope.CONTENT_TYPE,
    )


class Preparer:
    """Checks requests and turns them into submissions. Pure but for the payload store."""

    def __init__(self, registry: Registry, payloads: PayloadStore) -> None:
        self._registry = registry
        self._payloads = payloads

    def submission(self, request: TaskRequest) -> Submission:
        """Check one request; errors as of `command`."""
        return submission(self.command(request), request.traceparent)

    def command(self, request: TaskRequest) -> SubmitTask:
        """Check one request and return it as its readers will see it.

        Raises:
            UnknownTask: No installed definition has this name.
            InvalidParameters: Parameters, or one of the other fields, do not fit; names the field.
            PayloadTooLarge: Over 64 KiB, and no payload store is set.
            PayloadUnwritable: Over 64 KiB, and the payload store cannot be written.
        """
        definition = self._registry[request.name]
        parameters = checked_parameters(definition, request.parameters)
        now = datetime.now(UTC)
        wanted = SubmitTask(
            task_id=request.task_id,
            name=request.name,
            submitted_at=now,
            owner=request.owner,
            description=request.description,
            request=request.request,
            database_tag=request.database_tag,
            details_table=request.details_table,
            details_record=request.details_record,
            batch_id=request.batch_id,
            correlation_id=request.correlation_id,
            start_at=request.starting_at(now),
            cancellation=int(definition.cancellation),
        )
        command = _as_read(wanted, InvalidParameters, request.name, request.traceparent)
        parameters, payload_ref = self._payloads.place(command.id, parameters)
        return msgspec.structs.replace(command, parameters=parameters, payload_ref=payload_ref)


def submission(command: SubmitTask, traceparent: str | None = None) -> Submission:
    """Encode a checked command. A task that starts later goes to the projections only, which keep what waits."""
    body = envelope.encode_command(command, source=SOURCE, traceparent=traceparent)
    return Submission(command.id, body, "SubmitTask", SUBMIT_KEY if command.start_at is None else LATER_KEY)


def cancellation(task_id: TaskId, *, requested_by: int = 0, reason: str = "", force: bool = False) -> Submission:
    """Check a wish to cancel.

    Raises:
        InvalidCancellation: Names the field that does not fit.
    """
    wanted = CancelTask(
        task_id=task_id, requested_at=datetime.now(UTC), requested_by=requested_by, reason=reason, force=force
    )
    command = _as_read(wanted, InvalidCancellation, "CancelTask")
    return Submission(command.id, envelope.encode_command(command, source=SOURCE), "CancelTask", CANCEL_KEY)


AnyCommand = TypeVar("AnyCommand", SubmitTask, CancelTask)
_INTEGER_BITS = {"owner": 32, "requested_by": 32, "details_table": 16, "details_record": 32}


def _as_read(
    command: AnyCommand, refusal: type[InvalidParameters], name: str, traceparent: str | None = None
) -> AnyCommand:
    """Return a command as its readers will see it; refuse here what they would refuse later, or cannot keep."""
    fields = msgspec.structs.asdict(command)
    _require_integers(refusal, name, fields)
    require_storable(refusal, name, fields)
    try:
        body = envelope.encode_command(command, source=SOURCE, traceparent=traceparent)
        read = envelope.decode_command(body).command
    except MessageError as error:
        raise refusal(name, error.reason) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise refusal(name, f"not expressible as JSON: {error}") from error
    if len(body) > LARGEST_MESSAGE_BYTES:
        raise refusal(name, f"its texts take {len(body)} bytes, a message holds {LARGEST_MESSAGE_BYTES}")
    assert isinstance(read, type(command))
    return read


def _require_integers(refusal: type[InvalidParameters], name: str, fields: Mapping[str, Any]) -> None:
    """Refuse numbers that the original's columns do not hold."""
    for field_name, bits in _INTEGER_BITS.items():
        value, least, most = fields.get(field_name), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        if value is not None and not (type(value) is int and least <= value <= most):
            raise refusal(name, f"`{field_name}` must be a whole number from {least} to {most}, not {value!r}")
