"""The original's other agents that start tasks: reports, e-mail, and status monitors. Publishing: `udef_agent`."""

from __future__ import annotations

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Controller, MediaType, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from batchtask.http.carrier import BatchTaskInfo, CarrierReads, Int32, read_select, select_properties
from batchtask.http.keys import Select
from batchtask.http.letter_case import AnyLetterCaseRequest
from batchtask.http.negotiation import require_json_sent
from batchtask.http.problems import BadRequest
from batchtask.http.readable import TaskReader
from batchtask.http.views import OPEN_STATES, TaskView
from batchtask.identifiers import TaskId
from producer.rest.creating import Creation, provide_creation
from producer.rest.waiting import wait_until

#: How long `RunAsBatch: false` waits for the end, where the original may time out. Less than proxies wait. A guess.
END_SECONDS = 50.0


class ArchiveRestrictionInfo(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One criterion of a report; what the original shows beside it is ignored."""

    name: str
    operator: str = "="
    values: list[str] | None = None
    is_active: bool = True
    inter_parenthesis: Int32 = 0
    inter_operator: str | None = None  #: And or Or
    sub_restrictions: list[Any] | None = None  #: none are taken


class ReportArguments(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    report_id: Int32
    label_layout_id: Int32 = 0
    filename: str | None = None
    language: str | None = None
    file_type: str | None = None
    restrictions: list[ArchiveRestrictionInfo] | None = None


class FolderArguments(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Folders to read. `ConnectionInfo` is ignored, with the password in it: the accounts are those of the CRM."""

    folders: list[str] | None = None


class RunArguments(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    run_as_batch: bool = False


class Regeneration:
    """Starts the task `status-monitors` and answers with its carrier. A dependency of the handlers."""

    def __init__(
        self,
        *,
        creation: Creation,
        tasks: TaskReader,
        carriers: CarrierReads,
        zone: ZoneInfo | None,
        select: str | None,
    ) -> None:
        self._creation = creation
        self._tasks = tasks
        self._carriers = carriers
        self._zone = zone
        self._selected = read_select(select)

    async def run(self, what: str, arguments: RunArguments) -> BatchTaskInfo:
        """Start it, and wait for its end if that is asked for, for `END_SECONDS` at most; errors as of `create`."""
        task = await self._creation.submit("status-monitors", {"what": what})
        if not arguments.run_as_batch:
            await wait_until(lambda: self._ended(TaskId(task.id)), seconds=END_SECONDS)
        info = await asyncio.to_thread(self._carriers.one, task.number, self._zone)
        return select_properties(info, self._selected)

    def _ended(self, task_id: TaskId) -> TaskView | None:
        task = self._tasks.one(task_id)
        return None if task.state in OPEN_STATES else task


def provide_regeneration(
    *,
    creation: NamedDependency[Creation],
    task_views: NamedDependency[TaskReader],
    carriers: NamedDependency[CarrierReads],
    zone: NamedDependency[ZoneInfo | None],
    select: Select = None,
) -> Regeneration:
    """Make the dependency `regeneration`."""
    return Regeneration(creation=creation, tasks=task_views, carriers=carriers, zone=zone, select=select)


class CrmAgents(Controller):
    """The calls of other agents that start tasks."""

    path = "/api/v1/Agents"
    tags = ("Agents",)
    request_class = AnyLetterCaseRequest
    guards = [require_json_sent]  # noqa: RUF012 - the framework's own, as the next
    dependencies = {  # noqa: RUF012
        "creation": Provide(provide_creation, sync_to_thread=False),
        "regeneration": Provide(provide_regeneration, sync_to_thread=False),
    }

    @post("/Report/GenerateReport", status_code=HTTP_200_OK)
    async def generate_report(
        self, creation: NamedDependency[Creation], data: JSONBody[ReportArguments]
    ) -> Response[str]:
        """Start printing a report, with the caller's rights, and answer the task's id as text."""
        task = await creation.submit("report", report_parameters(data))
        # A text is sent as it is: for a JSON string the quotes must be in it.
        return Response(f'"{task.number}"', media_type=MediaType.JSON)

    @post("/EMail/RefreshFolder", status_code=HTTP_200_OK)
    async def refresh_folder(self, creation: NamedDependency[Creation], data: JSONBody[FolderArguments]) -> int:
        """Start fetching mail of the caller's own accounts, and answer the task's id, which is never 0."""
        return (await creation.submit("inbox", {"folders": data.folders or []})).number

    @post("/Saint/RegenerateStatusMonitors", status_code=HTTP_200_OK)
    async def regenerate_status_monitors(
        self, regeneration: NamedDependency[Regeneration], data: JSONBody[RunArguments]
    ) -> BatchTaskInfo:
        """Regenerate all status monitors. `RunAsBatch` false waits for the end, or until it has taken too long."""
        return await regeneration.run("monitors", data)

    @post("/Saint/RegenerateCounters", status_code=HTTP_200_OK)
    async def regenerate_counters(
        self, regeneration: NamedDependency[Regeneration], data: JSONBody[RunArguments]
    ) -> BatchTaskInfo:
        """Regenerate all counters. `RunAsBatch` false waits for the end, or until it has taken too long."""
        return await regeneration.run("counters", data)


def report_parameters(arguments: ReportArguments) -> dict[str, Any]:
    """Say as the task `report` does what the original's arguments mean.

    Raises:
        BadRequest: A restriction has others within it.
    """
    return {
        "report_id": arguments.report_id,
        "label_layout_id": arguments.label_layout_id,
        "file_name": arguments.filename or "",
        "language": arguments.language or "",
        "file_type": (arguments.file_type or "pdf").lower().removeprefix("."),
        "restrictions": [_restriction(one) for one in arguments.restrictions or []],
    }


def _restriction(info: ArchiveRestrictionInfo) -> dict[str, Any]:
    if info.sub_restrictions:
        raise BadRequest(
            f"Restrictions: {info.name[:100]!r} has SubRestrictions, which are not supported: use InterParenthesis"
        )
    return {
        "name": info.name,
        "operator": info.operator,
        "values": info.values or [],
        "is_active": info.is_active,
        "inter_operator": "Or" if (info.inter_operator or "").lower() == "or" else "And",
        "inter_parenthesis": info.inter_parenthesis,
    }
