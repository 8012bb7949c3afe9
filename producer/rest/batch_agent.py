"""`/api/v1/Agents/Batch/…`: the original's remote calls that change something, their argument names as they are."""

from __future__ import annotations

import asyncio
from zoneinfo import ZoneInfo

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from batchtask.http.callers import Caller
from batchtask.http.carrier import BatchTaskInfo, CarrierReads, Int32, read_select, select_properties
from batchtask.http.carrier_body import BatchTaskInfoBody
from batchtask.http.keys import Select
from batchtask.http.letter_case import AnyLetterCaseRequest
from batchtask.http.negotiation import require_json_sent
from batchtask.http.problems import BadRequest
from batchtask.http.readable import TaskReader
from batchtask.removal import Removal
from producer.rest.changing import Changes, provide_changes
from producer.rest.creating import Creation, provide_creation
from producer.rest.deleting import delete_tasks


class CarrierArguments(msgspec.Struct, frozen=True, rename="pascal"):
    batch_task_info: BatchTaskInfoBody


class StopArguments(msgspec.Struct, frozen=True, rename="pascal"):
    id: Int32


class DeleteArguments(msgspec.Struct, frozen=True, rename="pascal"):
    batch_task_id: Int32


class DeleteManyArguments(msgspec.Struct, frozen=True, rename="pascal"):
    batch_task_ids: list[Int32]


class BatchAgentCommands(Controller):
    """What the original's Batch agent does."""

    path = "/api/v1/Agents/Batch"
    tags = ("Agents/Batch",)
    request_class = AnyLetterCaseRequest
    guards = [require_json_sent]  # noqa: RUF012 - the framework's own, as the next
    dependencies = {  # noqa: RUF012
        "creation": Provide(provide_creation, sync_to_thread=False),
        "changes": Provide(provide_changes, sync_to_thread=False),
    }

    @post("/StartBatchJob", status_code=HTTP_200_OK)
    async def start_batch_job(self, creation: NamedDependency[Creation], data: JSONBody[CarrierArguments]) -> int:
        """Start a task and answer its id, once it can be read. With `Idempotency-Key` a repetition is harmless."""
        return (await creation.create(data.batch_task_info)).number

    @post("/StopBatchJob", status_code=HTTP_200_OK)
    async def stop_batch_job(self, changes: NamedDependency[Changes], data: JSONBody[StopArguments]) -> bool:
        """Stop a task, and answer whether it was open and may be stopped; what runs ends at its next safe point."""
        return await changes.stop(_key(data.id))

    @post("/UpdateBatchTask", status_code=HTTP_200_OK)
    async def update_batch_task(
        self,
        *,
        changes: NamedDependency[Changes],
        carriers: NamedDependency[CarrierReads],
        zone: NamedDependency[ZoneInfo | None],
        data: JSONBody[CarrierArguments],
        select: Select = None,
    ) -> BatchTaskInfo:
        """Write Description, Request, Response or State on the task with this Id; everything else is ignored."""
        selected, body = read_select(select), data.batch_task_info
        if body.id is None:
            raise BadRequest("BatchTaskInfo.Id: say which task to update")
        number = await changes.update(_key(body.id), body)
        return select_properties(await asyncio.to_thread(carriers.one, number, zone), selected)

    @post("/DeleteBatchTask", status_code=HTTP_204_NO_CONTENT, sync_to_thread=True)
    def delete_batch_task(
        self,
        caller: NamedDependency[Caller],
        task_views: NamedDependency[TaskReader],
        removal: NamedDependency[Removal],
        data: JSONBody[DeleteArguments],
    ) -> None:
        """Remove a task that has ended, with its history, log and files. 409 when it is open: stop it first."""
        delete_tasks(caller, task_views, removal, [_key(data.batch_task_id)])

    @post("/DeleteBatchTasks", status_code=HTTP_204_NO_CONTENT, sync_to_thread=True)
    def delete_batch_tasks(
        self,
        caller: NamedDependency[Caller],
        task_views: NamedDependency[TaskReader],
        removal: NamedDependency[Removal],
        data: JSONBody[DeleteManyArguments],
    ) -> None:
        """Remove tasks that have ended, all or none. 404 and 409 name those that are not there, or open."""
        delete_tasks(caller, task_views, removal, [_key(number) for number in data.batch_task_ids])


def _key(number: int) -> str:
    """A number as paths name it; no task has a negative one."""
    if number < 0:
        raise BadRequest(f"{number} is no task's id")
    return str(number)
