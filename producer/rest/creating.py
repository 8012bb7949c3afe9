"""Creating tasks for the SuperOffice-compatible API: answered once the row can be read, as its callers expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar.di import NamedDependency

from batchtask.definitions import Registry
from batchtask.http.callers import SYSTEM, Caller
from batchtask.http.carrier_body import BatchTaskInfoBody, find_definition, read_parameters
from batchtask.http.problems import BadRequest, Unavailable
from batchtask.http.readable import RowReader
from batchtask.http.views import TaskView
from batchtask.identifiers import TaskId, new_task_id
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from producer.aio import Producer
from producer.rest.idempotency import Repetitions, keyed_id
from producer.rest.submit import IdempotencyKey
from producer.task_request import TaskRequest

#: How long a caller waits for the row; a guess: the projections are behind by milliseconds, or not running.
READABLE_SECONDS = 10.0


class Creation:
    """Creates one task of a caller's. A dependency of the handlers.

    Args:
        caller: Owns the task, unless an administrator says otherwise.
        producer: Submits it.
        registry: The definitions.
        rows: Tells when it can be read.
        payloads: Where large parameters lie.
        key: The caller's `Idempotency-Key`.
    """

    def __init__(
        self,
        *,
        caller: Caller,
        producer: Producer,
        registry: Registry,
        rows: RowReader,
        payloads: PayloadStore,
        key: str | None,
    ) -> None:
        self._caller = caller
        self._producer = producer
        self._registry = registry
        self._rows = rows
        self._repetitions = Repetitions(rows, registry, payloads)
        self._keyed = key is not None
        self.task_id: TaskId = new_task_id() if key is None else keyed_id(caller, key)  #: that it will have

    async def create(self, body: BatchTaskInfoBody) -> TaskView:
        """Submit what a carrier describes.

        Raises:
            BadRequest, UnknownTask, InvalidParameters: The carrier does not say what to do.
            Forbidden: It is for administrators, for somebody else or for the system, and the caller is none of them.
            Unprocessable: The key was used for something else.
            Unavailable: It is safe, and cannot be read yet.
        """
        if not body.name:
            raise BadRequest("Name: say which task to start, such as MailMerge")
        definition = find_definition(self._registry, body.name)
        return await self.submit(
            definition.name,
            read_parameters(definition, body.parameter_object or {}),
            owner=self._owner(body),
            description=body.description or "",
            request=body.request or "",
            database_tag=body.database_serial_number or "",
            details_table=body.details_table or None,
            details_record=body.details_record or None,
        )

    async def submit(self, name: str, parameters: Mapping[str, Any], **fields: Any) -> TaskView:
        """Submit a task for the caller, or the `owner` among the fields of `TaskRequest`; errors as of `create`."""
        self._caller.require_may_start(self._registry[name])
        request = TaskRequest(
            task_id=self.task_id,
            name=name,
            parameters=parameters,
            **{"owner": self._caller.associate_id, **fields},
        )
        if not (self._keyed and await self._repetitions.is_there(request)):
            await self._producer.submit_many([request])
        view = await self._rows.wait_for(self.task_id, seconds=READABLE_SECONDS)
        if view is None:
            raise Unavailable(
                f"task {self.task_id} is accepted and safe, but cannot be read yet: do not send it again, "
                f"ask for /api/v2/tasks/{self.task_id} in a minute"
            )
        if self._keyed:
            await self._repetitions.is_there(request)  # somebody may have been first with this key
        return view

    def _owner(self, body: BatchTaskInfoBody) -> int:
        owner = SYSTEM if body.is_system_task else body.associate_id or self._caller.associate_id
        if owner != self._caller.associate_id:
            self._caller.require_administrator()
        return owner


def provide_creation(
    *,
    caller: NamedDependency[Caller],
    producer: NamedDependency[Producer],
    registry: NamedDependency[Registry],
    rows: NamedDependency[RowReader],
    settings: NamedDependency[Settings],
    idempotency_key: IdempotencyKey = None,
) -> Creation:
    """Make the dependency `creation`."""
    return Creation(
        caller=caller,
        producer=producer,
        registry=registry,
        rows=rows,
        payloads=PayloadStore(settings.payload_url),
        key=idempotency_key,
    )
