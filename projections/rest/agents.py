"""`/api/v1/Agents/Batch/Get…`: the original's remote calls that read, their argument names as they are.

System tasks belong to nobody and are for administrators: to everybody else these sets are empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec
from litestar import Controller, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody

from batchtask.http.callers import Caller
from batchtask.http.carrier import BatchTaskInfo, Int32, read_select, read_state, select_properties
from batchtask.http.keys import Select
from batchtask.http.letter_case import AnyLetterCaseRequest
from batchtask.http.negotiation import require_json_sent
from projections.carriers import MOST, CarrierFilter, Carriers
from projections.rest.batchtask import LIMIT_HEADER, visible_info

Infos = Response[list[BatchTaskInfo]]
StateArgument = str | int  #: by name, or by number


class IdArguments(msgspec.Struct, frozen=True, rename="pascal"):
    id: Int32


class AssociatesArguments(msgspec.Struct, frozen=True, rename="pascal"):
    associate_ids: list[Int32]


class AssociatesAndStateArguments(msgspec.Struct, frozen=True, rename="pascal"):
    associate_ids: list[Int32]
    state: StateArgument


class StateArguments(msgspec.Struct, frozen=True, rename="pascal"):
    state: StateArgument


class NameAndStateArguments(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    state: StateArgument


class NameAndAssociatesArguments(msgspec.Struct, frozen=True, rename="pascal"):
    name: str
    associate_ids: list[Int32]


class TaskNameArguments(msgspec.Struct, frozen=True, rename="pascal"):
    task_name: str


class TaskNameAndStateArguments(msgspec.Struct, frozen=True, rename="pascal"):
    task_name: str
    state: StateArgument


class Sets:
    """Answers a call with the tasks of a set, as far as the caller may see them. A dependency of the handlers."""

    def __init__(self, caller: Caller, carriers: Carriers, zone: ZoneInfo | None, select: str | None) -> None:
        self._caller = caller
        self._carriers = carriers
        self._zone = zone
        self._selected = read_select(select)

    def one(self, number: int) -> BatchTaskInfo:
        """Answer one task.

        Raises:
            TaskNotFound: None that the caller may see.
        """
        return select_properties(visible_info(self._caller, self._carriers, number, self._zone), self._selected)

    def many(
        self,
        *,
        owners: Sequence[int] | None = None,
        state: str | int = "All",
        name: str | None = None,
        users: bool = True,
        system: bool = False,
    ) -> Infos:
        """Answer tasks, the newest first.

        Raises:
            BadRequest: There is no such state.
        """
        wanted = CarrierFilter(
            owners=self._visible(owners), state=read_state(state), name=name, users=users, system=system
        )
        found = self._carriers.many(wanted, self._zone)
        return Response(
            [select_properties(info, self._selected) for info in found], headers={LIMIT_HEADER: str(MOST)}
        )

    def _visible(self, owners: Sequence[int] | None) -> Sequence[int] | None:
        if self._caller.administrator:
            return owners
        own = self._caller.associate_id
        return [own] if owners is None or own in owners else []


def _sets(
    caller: NamedDependency[Caller],
    carriers: NamedDependency[Carriers],
    zone: NamedDependency[ZoneInfo | None],
    select: Select = None,
) -> Sets:
    return Sets(caller, carriers, zone, select)


class BatchAgentReads(Controller):
    """What the original's Batch agent tells."""

    path = "/api/v1/Agents/Batch"
    tags = ("Agents/Batch",)
    request_class = AnyLetterCaseRequest
    guards = [require_json_sent]  # noqa: RUF012 - the framework's own, as the next
    dependencies = {"sets": Provide(_sets, sync_to_thread=False)}  # noqa: RUF012

    @post("/GetBatchTaskInfo", status_code=200, sync_to_thread=True)
    def get_batch_task_info(self, sets: NamedDependency[Sets], data: JSONBody[IdArguments]) -> BatchTaskInfo:
        """Show one task."""
        return sets.one(data.id)

    @post("/GetBatchTaskInfosByAssociates", status_code=200, sync_to_thread=True)
    def get_batch_task_infos_by_associates(
        self, sets: NamedDependency[Sets], data: JSONBody[AssociatesArguments]
    ) -> Infos:
        """List the tasks of some associates; 0 among them stands for the system."""
        return sets.many(owners=data.associate_ids, system=True)

    @post("/GetBatchTaskInfosByAssociatesAndState", status_code=200, sync_to_thread=True)
    def get_batch_task_infos_by_associates_and_state(
        self, sets: NamedDependency[Sets], data: JSONBody[AssociatesAndStateArguments]
    ) -> Infos:
        """List the tasks of some associates that are in a state."""
        return sets.many(owners=data.associate_ids, state=data.state, system=True)

    @post("/GetBatchTaskInfosByState", status_code=200, sync_to_thread=True)
    def get_batch_task_infos_by_state(self, sets: NamedDependency[Sets], data: JSONBody[StateArguments]) -> Infos:
        """List the tasks of users that are in a state."""
        return sets.many(state=data.state)

    @post("/GetBatchTaskInfosByNameAndState", status_code=200, sync_to_thread=True)
    def get_batch_task_infos_by_name_and_state(
        self, sets: NamedDependency[Sets], data: JSONBody[NameAndStateArguments]
    ) -> Infos:
        """List the tasks of users that have a name and are in a state."""
        return sets.many(name=data.name, state=data.state)

    @post("/GetBatchTaskInfosByNameAndAssociates", status_code=200, sync_to_thread=True)
    def get_batch_task_infos_by_name_and_associates(
        self, sets: NamedDependency[Sets], data: JSONBody[NameAndAssociatesArguments]
    ) -> Infos:
        """List the tasks of some associates that have a name."""
        return sets.many(name=data.name, owners=data.associate_ids, system=True)

    @post("/GetAllBatchTaskInfosByName", status_code=200, sync_to_thread=True)
    def get_all_batch_task_infos_by_name(
        self, sets: NamedDependency[Sets], data: JSONBody[TaskNameArguments]
    ) -> Infos:
        """List the tasks of users and of the system that have a name."""
        return sets.many(name=data.task_name, system=True)

    @post("/GetAllBatchTaskInfosByNameAndState", status_code=200, sync_to_thread=True)
    def get_all_batch_task_infos_by_name_and_state(
        self, sets: NamedDependency[Sets], data: JSONBody[TaskNameAndStateArguments]
    ) -> Infos:
        """List the tasks of users and of the system that have a name and are in a state."""
        return sets.many(name=data.task_name, state=data.state, system=True)

    @post("/GetSystemBatchTaskInfosByName", status_code=200, sync_to_thread=True)
    def get_system_batch_task_infos_by_name(
        self, sets: NamedDependency[Sets], data: JSONBody[TaskNameArguments]
    ) -> Infos:
        """List the tasks of the system that have a name."""
        return sets.many(name=data.task_name, users=False, system=True)

    @post("/GetSystemBatchTaskInfosByNameAndState", status_code=200, sync_to_thread=True)
    def get_system_batch_task_infos_by_name_and_state(
        self, sets: NamedDependency[Sets], data: JSONBody[TaskNameAndStateArguments]
    ) -> Infos:
        """List the tasks of the system that have a name and are in a state."""
        return sets.many(name=data.task_name, state=data.state, users=False, system=True)
