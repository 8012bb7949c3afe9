"""One command for many tasks through the modern API; for administrators.

Each works through at most `MOST_TASKS` tasks, newest first, in portions that are safe one by one. Whoever loses the
answer sends the command again: what is done is no longer chosen, or is harmless to do twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from batchtask.errors import BatchTaskError
from batchtask.http.callers import Caller
from batchtask.http.choosing import MOST_TASKS, Choice, Chooser, Chosen, DeadChoice, OpenChoice
from batchtask.http.moments import require_zones
from batchtask.http.problems import BadRequest
from batchtask.http.readable import RowWriter
from batchtask.http.texts import Reason
from batchtask.identifiers import TaskId
from batchtask.replaying import Replays
from producer.aio import Producer

#: Wishes to stop that wait for the broker's confirms at a time; and replays of one transaction.
PORTION = 500
#: Refusals told one by one.
MOST_REFUSALS = 100


class CancelMany(OpenChoice, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which open tasks are to stop, and how."""

    reason: Reason = ""
    force: bool = False
    dry_run: bool = False  #: only count


class ReplayMany(DeadChoice, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead tasks are to begin anew, and how."""

    parameters: dict[str, Any] = msgspec.field(default_factory=dict)  #: those that get another value, in all of them
    dry_run: bool = False  #: only count


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A task that was left alone."""

    id: UUID | int  #: its id, or the number it was named by
    reason: str


class BulkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command for many tasks."""

    count: int  #: tasks for which it was done, or would be
    refused_count: int  #: tasks that were left alone
    refused: list[Refused]  #: the first hundred of them
    next_before: int | None  #: there are more: send the command again with `before` of this
    dry_run: bool
    text: str  #: the same in a sentence


class BulkCommands(Controller):
    """Commands for many tasks."""

    path = "/api/v2/bulk"
    tags = ("bulk",)

    @post("/cancel", status_code=HTTP_200_OK)
    async def cancel(
        self,
        caller: NamedDependency[Caller],
        chooser: NamedDependency[Chooser],
        producer: NamedDependency[Producer],
        data: JSONBody[CancelMany],
    ) -> BulkAnswer:
        """Ask for all open tasks that are chosen to stop. For administrators."""
        _require_choice(caller, data)
        found, next_before = _cut(await asyncio.to_thread(chooser.open_tasks, data, MOST_TASKS + 1))
        refused = _missing(data, found, "is not open, or not known")
        refused |= {} if data.force else {task.task_id: _CANNOT for task in found if task.cancellation == "cannot"}
        todo = [task.task_id for task in found if task.task_id not in refused]
        if not data.dry_run:
            await _cancel(producer, todo, caller, data)
        return _answer("to stop", todo, refused, next_before, dry_run=data.dry_run)

    @post("/replay", status_code=HTTP_200_OK, sync_to_thread=True)
    def replay(
        self,
        *,
        caller: NamedDependency[Caller],
        chooser: NamedDependency[Chooser],
        replays: NamedDependency[Replays],
        row_writer: NamedDependency[RowWriter],
        data: JSONBody[ReplayMany],
    ) -> BulkAnswer:
        """Begin all dead tasks anew that are chosen. For administrators."""
        _require_choice(caller, data)
        found, next_before = _cut(chooser.dead_tasks(data, MOST_TASKS + 1))
        refused = _missing(data, found, "has not failed and was not stopped, or is not known")
        for portion in _portions([task.task_id for task in found]):
            refused |= _told(_replay(replays, row_writer, portion, caller, data))
        todo = [task.task_id for task in found if task.task_id not in refused]
        return _answer("to begin anew", todo, refused, next_before, dry_run=data.dry_run)


_CANNOT = "cannot be cancelled, says its definition; `force` does it"


def _require_choice(caller: Caller, choice: Choice) -> None:
    caller.require_administrator()
    require_zones(since=choice.since, until=choice.until)
    if not choice.chooses:
        raise BadRequest(
            "choose tasks by `ids`, `name`, `owner`, `state`, `since`, `until` or, of dead ones, `causes`"
        )


def _cut(found: Sequence[Chosen]) -> tuple[Sequence[Chosen], int | None]:
    page = found[:MOST_TASKS]
    return page, page[-1].number if len(found) > MOST_TASKS else None


def _missing(choice: Choice, found: Iterable[Chosen], reason: str) -> dict[UUID | int, str]:
    """Tell of those that were named and are not found; what is not named cannot be missed."""
    known = {key for task in found for key in (task.task_id, task.number)}
    return {key: reason for key in choice.ids or () if key not in known}


async def _cancel(producer: Producer, task_ids: Sequence[TaskId], caller: Caller, wish: CancelMany) -> None:
    ask = partial(producer.cancel, requested_by=caller.associate_id, reason=wish.reason, force=wish.force)
    for portion in _portions(task_ids):
        # All of a portion are awaited before the first error is told, so that nothing goes on behind the answer.
        for outcome in await asyncio.gather(*map(ask, portion), return_exceptions=True):
            if outcome is not None:
                raise outcome


def _replay(
    replays: Replays, row_writer: RowWriter, task_ids: Sequence[TaskId], caller: Caller, wish: ReplayMany
) -> dict[TaskId, BatchTaskError]:
    if wish.dry_run:
        return replays.refusals(task_ids)
    replayed = replays.replay_many(task_ids, requested_by=caller.associate_id, changes=wish.parameters)
    row_writer.project(event for history in replayed.histories.values() for event in history)
    return replayed.refused


def _told(refused: dict[TaskId, BatchTaskError]) -> dict[UUID | int, str]:
    return {task_id: str(error) for task_id, error in refused.items()}


def _portions(task_ids: Sequence[TaskId]) -> Iterable[Sequence[TaskId]]:
    return (task_ids[start : start + PORTION] for start in range(0, len(task_ids), PORTION))


def _answer(
    what: str, done: Sequence[TaskId], refused: dict[UUID | int, str], next_before: int | None, *, dry_run: bool
) -> BulkAnswer:
    tasks = "1 task" if len(done) == 1 else f"{len(done)} tasks"
    text = f"{'Would ask' if dry_run else 'Asked'} {tasks} {what}."
    if refused:
        text += f" {len(refused)} left alone."
    if next_before is not None:
        text += f" One command takes {MOST_TASKS} tasks: send it again with `before` {next_before} for the next ones."
    first = [Refused(id=key, reason=reason) for key, reason in list(refused.items())[:MOST_REFUSALS]]
    return BulkAnswer(
        count=len(done),
        refused_count=len(refused),
        refused=first,
        next_before=next_before,
        dry_run=dry_run,
        text=text,
    )
