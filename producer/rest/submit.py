"""Submitting a task through the modern API: answered once the task can be read, and once only for one key."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_202_ACCEPTED

from batchtask.definitions import Registry
from batchtask.http.callers import Caller
from batchtask.http.choosing import Number
from batchtask.http.mounting import root_of
from batchtask.http.readable import RowReader
from batchtask.http.texts import Name
from batchtask.http.views import TaskView
from batchtask.identifiers import TaskId, new_task_id
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from producer.aio import Producer
from producer.rest.idempotency import Repetitions, keyed_id
from producer.task_request import TaskRequest

TASKS = "/api/v2/tasks"

AnyRequest = Request[Any, Any, Any]

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 255 printable characters, such as a UUID: the same key again answers the same task.",
    ),
]


class NewTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task to submit."""

    name: Name  #: of a definition, as /definitions lists them
    parameters: dict[str, Any] = {}  #: as the definition's schema says
    description: str = ""  #: what its owner reads beside the progress bar
    delay_seconds: float | None = None  #: starts so many seconds from now; or
    start_at: datetime | None = None  #: starts at this time, with a time zone
    owner: Number | None = None  #: associate id, 0 = system; for administrators, by default the caller


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A task that is safe, and cannot be read yet."""

    id: UUID
    detail: str = "The task is safe, but what can be read lags behind; ask for it again in a moment."


class TaskSubmits(Controller):
    """Submitting tasks."""

    path = TASKS
    tags = ("tasks",)

    @post("/", status_code=HTTP_201_CREATED)
    async def submit(
        self,
        *,
        request: AnyRequest,
        caller: NamedDependency[Caller],
        producer: NamedDependency[Producer],
        registry: NamedDependency[Registry],
        rows: NamedDependency[RowReader],
        settings: NamedDependency[Settings],
        data: JSONBody[NewTask],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[TaskView | Accepted]:
        """Submit a task, for the caller; administrators also for others, or for the system (owner 0).

        Answered with 201 once the task can be read; with 202 when that takes too long, and then the task is safe all
        the same. With `Idempotency-Key` a repetition is harmless: it answers 200 and the task that is there, or 422
        when it asks for something else.
        """
        caller.require_may_start(registry[data.name])
        task_id = new_task_id() if idempotency_key is None else keyed_id(caller, idempotency_key)
        wanted = _wanted(data, task_id, _owner(caller, data.owner))
        repetitions = Repetitions(rows, registry, PayloadStore(settings.payload_url))
        if idempotency_key is not None and await repetitions.is_there(wanted):
            return await _answer(request, rows, task_id, HTTP_200_OK)
        await producer.submit_many([wanted])
        answer = await _answer(request, rows, task_id, HTTP_201_CREATED)
        if idempotency_key is not None:
            await repetitions.is_there(wanted)  # somebody may have been first with this key
        return answer


def _owner(caller: Caller, owner: int | None) -> int:
    if owner is None:
        return caller.associate_id
    if owner != caller.associate_id:
        caller.require_administrator()
    return owner


def _wanted(data: NewTask, task_id: TaskId, owner: int) -> TaskRequest:
    return TaskRequest(
        task_id=task_id,
        name=data.name,
        parameters=data.parameters,
        description=data.description,
        owner=owner,
        delay_seconds=data.delay_seconds,
        start_at=data.start_at,
    )


async def _answer(
    request: AnyRequest, rows: RowReader, task_id: TaskId, status: int
) -> Response[TaskView | Accepted]:
    view = await rows.wait_for(task_id)
    content = view or Accepted(id=task_id)
    return Response(
        content,
        status_code=status if view else HTTP_202_ACCEPTED,
        headers={"Location": f"{root_of(request)}{TASKS}/{task_id}"},
    )
