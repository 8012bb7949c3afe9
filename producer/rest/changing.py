"""Changing tasks for the SuperOffice-compatible API: stopping them, and writing on them."""

from __future__ import annotations

import asyncio

from litestar.di import NamedDependency

from batchtask import signal_points
from batchtask.amending import Amendments, NotAmendable
from batchtask.http.callers import Caller
from batchtask.http.carrier import BatchTaskInfo, BatchTaskState, CarrierReads, read_state
from batchtask.http.carrier_body import BatchTaskInfoBody
from batchtask.http.problems import Conflict, Unavailable
from batchtask.http.readable import RowWriter, StateReader, TaskReader, visible_task
from batchtask.http.texts import LONGEST_REASON
from batchtask.http.views import OPEN_STATES, TaskView
from batchtask.identifiers import TaskId
from batchtask.intentions import Amend
from producer.aio import Producer
from producer.rest.waiting import wait_until

#: How long a caller waits for a wish to be recorded, which takes milliseconds when projections run. A guess.
WISH_SECONDS = 10.0
_OPEN = {BatchTaskState.New, BatchTaskState.Aquired, BatchTaskState.Started}


class Changes:
    """Changes tasks that a caller may see. A dependency of the handlers.

    Args:
        caller: Who asks.
        producer: Passes wishes to stop on.
        tasks: Finds tasks.
        states: Reads tasks as their streams have them.
        carriers: Reads tasks as callers saw them.
        amendments: Writes.
        rows: Brings the row up to date with what was written.
    """

    def __init__(
        self,
        *,
        caller: Caller,
        producer: Producer,
        tasks: TaskReader,
        states: StateReader,
        carriers: CarrierReads,
        amendments: Amendments,
        rows: RowWriter,
    ) -> None:
        self._caller = caller
        self._producer = producer
        self._tasks = tasks
        self._states = states
        self._carriers = carriers
        self._amendments = amendments
        self._rows = rows

    async def stop(self, key: str, reason: str = "") -> bool:
        """Ask for a task to stop; answers when the wish is in its history, and its row shows what follows at once.

        A task that waits has ended by then, one that runs ends at its next safe point. Harmless to repeat.

        Returns:
            False when it has ended without it, or its definition does not allow it.

        Raises:
            TaskNotFound: There is none that the caller may see.
            Unavailable: The wish is safe, and not recorded yet.
        """
        task = await self._visible(key)
        if task.state not in OPEN_STATES or task.cancellation == "cannot":
            return False
        task_id = TaskId(task.id)
        await self._producer.cancel(task_id, requested_by=self._caller.associate_id, reason=reason[:LONGEST_REASON])
        stopped = await wait_until(lambda: self._stopped(task_id), seconds=WISH_SECONDS)
        if stopped is None:
            raise Unavailable(
                f"the wish to stop task {task.number} is safe, but is not recorded yet; asking again is harmless"
            )
        return stopped

    async def update(self, key: str, body: BatchTaskInfoBody) -> int:
        """Write on a task what a carrier says otherwise than its row, and return its number.

        Description, request and response, and of the states those that mean something: see `_change_of_state`. What
        is written on a task that runs stands until the task itself says something else.

        Raises:
            TaskNotFound: There is none that the caller may see.
            Conflict: It cannot get this state.
            Unavailable: As of `stop`.
        """
        task = await self._visible(key)
        shown = await asyncio.to_thread(self._carriers.one, task.number)
        wanted = _change_of_state(shown, body.wanted_state())
        if wanted is BatchTaskState.Failed and not await self.stop(key, body.response or ""):
            # It ended by itself in this moment, or cannot be stopped; that it failed is what was wanted.
            ended = await asyncio.to_thread(self._carriers.one, task.number)
            if ended.state != wanted.name:
                raise _impossible(ended, wanted)
        manual_cleanup = wanted is BatchTaskState.SucceededManualCleanup
        await asyncio.to_thread(self._amend, TaskId(task.id), shown, body, manual_cleanup)
        return task.number

    async def _visible(self, key: str) -> TaskView:
        return await asyncio.to_thread(visible_task, self._caller, self._tasks, key)

    def _stopped(self, task_id: TaskId) -> bool | None:
        """Whether the wish counted; None before that is known, and before the row shows it."""
        state = self._states.state(task_id)
        wished = state.cancel_requested_by is not None
        if not (wished or state.phase.finished) or self._tasks.one(task_id).version < state.version:
            return None
        return wished

    def _amend(self, task_id: TaskId, shown: BatchTaskInfo, body: BatchTaskInfoBody, manual_cleanup: bool) -> None:
        wanted = Amend(
            requested_by=self._caller.associate_id,
            description=_changed(shown.description, body.description),
            request=_changed(shown.request, body.request),
            response=_changed(shown.response, body.response),
            manual_cleanup=manual_cleanup,
        )
        try:
            news = self._amendments.amend(task_id, wanted)
        except NotAmendable:
            raise _impossible(shown, BatchTaskState.SucceededManualCleanup) from None
        signal_points.reached("amend.recorded")
        self._rows.project(news)


def provide_changes(
    *,
    caller: NamedDependency[Caller],
    producer: NamedDependency[Producer],
    task_views: NamedDependency[TaskReader],
    task_states: NamedDependency[StateReader],
    carriers: NamedDependency[CarrierReads],
    amendments: NamedDependency[Amendments],
    row_writer: NamedDependency[RowWriter],
) -> Changes:
    """Make the dependency `changes`."""
    return Changes(
        caller=caller,
        producer=producer,
        tasks=task_views,
        states=task_states,
        carriers=carriers,
        amendments=amendments,
        rows=row_writer,
    )


def _change_of_state(shown: BatchTaskInfo, wanted: BatchTaskState | None) -> BatchTaskState | None:
    """Return the state that a task shall get; None when it stays as it is.

    The status of a task is what happened to it. Only two wishes mean something: `Failed` stops an open task, and
    `SucceededManualCleanup` leaves the cleaning up after a success to whoever owns its result.

    Raises:
        Conflict: Any other.
    """
    now = read_state(shown.state or "")
    if wanted is None or wanted is now or {wanted, now} <= _OPEN:
        return None
    stops = wanted is BatchTaskState.Failed and now in _OPEN
    cleans = wanted is BatchTaskState.SucceededManualCleanup and now is BatchTaskState.Succeeded
    if stops and shown.cancellation_behaviour == "CannotCancel":
        raise Conflict(f"task {shown.id} cannot be stopped, says its definition: it becomes Failed only by failing")
    if not (stops or cleans):
        raise _impossible(shown, wanted)
    return wanted


def _impossible(shown: BatchTaskInfo, wanted: BatchTaskState) -> Conflict:
    return Conflict(
        f"task {shown.id} is {shown.state}, and cannot be made {wanted.name}: a state is what happened to the task. "
        "Send the state that it has, or none; Failed stops an open task, SucceededManualCleanup follows Succeeded"
    )


def _changed(shown: str | None, sent: str | None) -> str | None:
    """What to write; None for a text that was read and sent back, which may be shorter than what it was cut from."""
    return None if sent == shown else sent
