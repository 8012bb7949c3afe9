"""`/api/v1/BatchTask`, changed: the original's calls that create, stop, update and delete one task."""

from __future__ import annotations

import asyncio
from zoneinfo import ZoneInfo

from litestar import Controller, delete, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from batchtask.errors import TaskNotFound
from batchtask.http.callers import Caller
from batchtask.http.carrier import BatchTaskInfo, CarrierReads
from batchtask.http.carrier_body import BatchTaskInfoBody
from batchtask.http.keys import Key
from batchtask.http.letter_case import AnyLetterCaseRequest
from batchtask.http.negotiation import require_json_sent
from batchtask.http.problems import BadRequest, unknown_task
from batchtask.http.readable import TaskReader
from batchtask.removal import Removal
from producer.rest.changing import Changes, provide_changes
from producer.rest.creating import Creation, provide_creation
from producer.rest.deleting import delete_tasks


class BatchTaskCommands(Controller):
    """What the original's API lets its users do with one task."""

    path = "/api/v1/BatchTask"
    tags = ("BatchTask",)
    request_class = AnyLetterCaseRequest
    guards = [require_json_sent]  # noqa: RUF012 - the framework's own, as the next
    dependencies = {  # noqa: RUF012
        "creation": Provide(provide_creation, sync_to_thread=False),
        "changes": Provide(provide_changes, sync_to_thread=False),
    }

    @post("/", status_code=HTTP_200_OK, operation_id="v1_BatchTask_StartBatchJob")
    async def create(self, creation: NamedDependency[Creation], data: JSONBody[BatchTaskInfoBody]) -> int:
        """Start a task and answer its id, once it can be read. With `Idempotency-Key` a repetition is harmless."""
        return (await creation.create(data)).number

    @post("/{key:str}/Stop", status_code=HTTP_200_OK, operation_id="v1_BatchTask_StopBatchJob")
    async def stop(self, changes: NamedDependency[Changes], key: Key) -> bool:
        """Stop a task, and answer whether it was open and may be stopped; what runs ends at its next safe point."""
        try:
            return await changes.stop(key)
        except TaskNotFound as error:
            raise BadRequest(unknown_task(error)) from None  # the only refusal that the original documents here

    @put("/{key:str}", operation_id="v1_BatchTask_UpdateBatchTask")
    async def update(
        self,
        *,
        changes: NamedDependency[Changes],
        carriers: NamedDependency[CarrierReads],
        zone: NamedDependency[ZoneInfo | None],
        key: Key,
        data: JSONBody[BatchTaskInfoBody],
    ) -> BatchTaskInfo:
        """Write Description, Request, Response or State on a task; everything else in the body is ignored."""
        return await asyncio.to_thread(carriers.one, await changes.update(key, data), zone)

    @delete("/{key:str}", sync_to_thread=True, operation_id="v1_BatchTask_DeleteBatchTask")
    def delete(
        self,
        caller: NamedDependency[Caller],
        task_views: NamedDependency[TaskReader],
        removal: NamedDependency[Removal],
        key: Key,
    ) -> None:
        """Remove a task that has ended, with its history, log and files. 409 when it is open: stop it first."""
        delete_tasks(caller, task_views, removal, [key])
