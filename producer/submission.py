"""From a caller's wish to a message: checked against the definition, given an id, encoded. Shared by both clients."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from batchtask import envelope
from batchtask.definitions import Registry
from batchtask.errors import InvalidParameters, MessageError, PublishError
from batchtask.identifiers import BatchId, TaskId, new_task_id
from batchtask.messages import CancelTask, SubmitTask
from batchtask.payloads import PayloadStore

SOURCE = f"/batchtask/producer/{socket.gethostname()}/{os.getpid()}"


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """One task to submit. Its id is chosen here, so submitting the same request again makes no second task."""

    name: str  #: of an installed task definition
    parameters: Mapping[str, Any] = field(default_factory=dict)
    owner: int = 0  #: associate id of the user who asks; 0 = system task
    description: str = ""  #: what the user reads beside the progress bar
    request: str = ""
    database_tag: str = ""
    details_table: int | None = None
    details_record: int | None = None
    batch_id: BatchId | None = None
    correlation_id: UUID | None = None
    traceparent: str | None = None  #: W3C trace context of the caller
    task_id: TaskId = field(default_factory=new_task_id)


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


class Preparer:
    """Checks requests and turns them into submissions. Pure but for the payload store."""

    def __init__(self, registry: Registry, payloads: PayloadStore) -> None:
        self._registry = registry
        self._payloads = payloads

    def submission(self, request: TaskRequest) -> Submission:
        """Check one request.

        Raises:
            UnknownTask: No installed definition has this name.
            InvalidParameters: Parameters, or one of the other fields, do not fit; names the field.
            PayloadTooLarge: Over 64 KiB, and no payload store is set.
        """
        parameters = self._checked_parameters(request)
        parameters, payload_ref = self._payloads.place(request.task_id, parameters)
        command = SubmitTask(
            task_id=request.task_id,
            name=request.name,
            submitted_at=datetime.now(UTC),
            parameters=parameters,
            payload_ref=payload_ref,
            owner=request.owner,
            description=request.description,
            request=request.request,
            database_tag=request.database_tag,
            details_table=request.details_table,
            details_record=request.details_record,
            batch_id=request.batch_id,
            correlation_id=request.correlation_id,
        )
        body = envelope.encode_command(command, source=SOURCE, traceparent=request.traceparent)
        _require_readable(request.name, body)
        return Submission(request.task_id, body, "SubmitTask")

    def _checked_parameters(self, request: TaskRequest) -> dict[str, Any]:
        parameters = dict(request.parameters)
        self._registry[request.name].check_parameters(parameters)
        try:
            msgspec.json.encode(parameters)
        except (TypeError, ValueError) as error:
            raise InvalidParameters(request.name, f"not expressible as JSON: {error}") from error
        return parameters


def cancellation(task_id: TaskId, *, requested_by: int, reason: str) -> Submission:
    command = CancelTask(task_id=task_id, requested_at=datetime.now(UTC), requested_by=requested_by, reason=reason)
    return Submission(task_id, envelope.encode_command(command, source=SOURCE), "CancelTask")


def _require_readable(name: str, body: bytes) -> None:
    """Refuse here what every reader would refuse later: an owner that is no int32, text with a NUL."""
    try:
        envelope.decode_command(body)
    except MessageError as error:
        raise InvalidParameters(name, error.reason) from error
