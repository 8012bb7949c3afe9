"""Carry one delivery from the broker to the event store. Read this file first.

claim → perform → record → announce → settle. The order is the design: the outcome is in the store before anybody
hears of it, and the delivery is acknowledged last, so a crash between any two steps leads to a redelivery that finds
its way from the stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from batchtask import envelope
from batchtask.broker import Delivery
from batchtask.errors import LeaseLost, MessageError
from batchtask.events import HeartbeatRecorded, ProgressReported
from batchtask.messages import SubmitTask
from batchtask.outcomes import Interrupted, Lost, Outcome, TimedOut
from batchtask.publishing import REPEAT_HEADER
from batchtask.task import RecordOutcome, Report
from batchtask.topology import TASKS_QUEUE
from worker.children.frames import LogLine, Progress, Run
from worker.claims import ClaimRequest
from worker.deps import Deps
from worker.lease import Lease, Refused
from worker.logbook import Line
from worker.records import Recorded, RecordRequest
from worker.running import Holding, Running, Stop

logger = logging.getLogger(__name__)


async def run_attempt(delivery: Delivery, deps: Deps) -> None:
    """Do everything that one delivery asks for.

    Safe to repeat at any point: whatever was done already is found in the stream.
    """
    try:
        request = read(delivery, deps)  # poison is set aside here, nothing else runs
    except MessageError as error:
        await set_aside(delivery, error, deps)
        return
    holding = hold(delivery, request, deps)  # None: an attempt of ours settles the new delivery, too
    if holding is None:
        return
    try:
        while not await try_once(holding, request, deps):
            pass
    finally:
        if deps.holding.get(request.command.id) is holding:
            del deps.holding[request.command.id]


async def try_once(holding: Holding, request: ClaimRequest, deps: Deps) -> bool:
    """Claim, perform, record, settle. False when the task is not done with and we may still hold its message."""
    async with slot(holding, deps) as granted:
        if not granted:
            return True  # nothing was begun; the broker gives the message to somebody
        claim = await deps.claim(as_held(request, holding))  # a second holder is refused here
        if isinstance(claim, Lease):
            running = Running(claim, _run(claim), cancel_wanted=holding.cancel_wanted)
            outcome = await perform(running, deps)  # the only step that runs task code
    if isinstance(claim, Refused):
        await deps.announcer.announce(claim.news)
        deps.consumer.settle(holding.delivery)
        return True
    recorded = await record(running, outcome, deps)  # the commit point
    _log_attempt(running, outcome)
    if recorded is None:
        # Another holder came between, by a redelivery. If the message is ours again, that one is dead: claim anew.
        return False
    if isinstance(outcome, Lost) and not recorded.finished:
        deps.announcer.announce_soon(recorded.news)
        return False
    await settle(holding, running, outcome, recorded, deps)  # acknowledge last: a crash before this redelivers
    return True


@asynccontextmanager
async def slot(holding: Holding, deps: Deps) -> AsyncIterator[bool]:
    """Wait for a slot and hold it; False when the delivery shall not be worked on any more."""
    loop = asyncio.get_running_loop()
    async with deps.slots:
        holding.started = True
        began = loop.time()
        granted = deps.consumer.holds(holding.delivery) and not deps.draining
        yield granted
        if granted:  # what was given back holds a slot for no time at all: that says nothing about tasks
            deps.prefetch.slot_held(loop.time() - began)


def read(delivery: Delivery, deps: Deps) -> ClaimRequest:
    """Decode a delivery and check that this worker can run it.

    Raises:
        MessageError: It never can.
    """
    message = envelope.decode_command(delivery.body)
    command = message.command
    if not isinstance(command, SubmitTask):
        raise MessageError(f"{type(command).__name__} does not belong in {TASKS_QUEUE.name}", str(command.task_id))
    if command.name not in deps.registry:
        raise MessageError(
            f"No worker knows a task {command.name!r}: install the package that defines it, then submit again.",
            str(command.task_id),
        )
    tag = deps.settings.database_tag
    if command.database_tag and tag and command.database_tag != tag:
        raise MessageError(
            f"The task belongs to database {command.database_tag!r}, this worker serves {tag!r}.",
            str(command.task_id),
        )
    # The same command in two messages, because a publisher saw no confirm, is two deliveries.
    delivery_id = message.message_id + str(delivery.headers.get(REPEAT_HEADER, ""))
    limit = hard_limit(deps.registry[command.name].timeout_seconds, deps.settings.task_timeout)
    return ClaimRequest(command, delivery_id, delivery.redelivered, limit, message.traceparent)


def hard_limit(definition_seconds: float, service_seconds: float) -> float | None:
    """The smaller of both limits; a definition says 0 for none, the service -1."""
    limits = [seconds for seconds in (definition_seconds, service_seconds) if seconds > 0]
    return min(limits, default=None)


def hold(delivery: Delivery, request: ClaimRequest, deps: Deps) -> Holding | None:
    """Note that we have the message in hand; None when we had it already, and got it again after a reconnect.

    The earlier delivery died with its channel, the work under it did not: it goes on and settles this one.
    """
    held = deps.holding.get(request.command.id)
    if held is not None and held.message_id == request.message_id and held.delivery.epoch != delivery.epoch:
        held.delivery = delivery
        return None
    holding = Holding(request.message_id, delivery, asyncio.get_running_loop().time())
    deps.holding.setdefault(request.command.id, holding)
    return holding


def as_held(request: ClaimRequest, holding: Holding) -> ClaimRequest:
    """The request as the newest delivery of its message puts it: others may have had it while ours waited."""
    return replace(request, redelivered=holding.delivery.redelivered)


async def perform(running: Running, deps: Deps) -> Outcome | None:
    """Run the task code in a child and return what it ended in; None when the lease is lost."""
    lease = running.lease
    deps.announcer.announce_soon(lease.news)
    deps.running[lease.task_id] = running
    if deps.stopping:
        running.stop(Stop.SHUTDOWN)
    child = running.child = await deps.pool.acquire()
    limit = _limit(running)
    try:
        if running.stopped is not None:
            child.kill()
        if running.cancel_wanted:
            running.tell_cancel()
        outcome = await child.run(running.run, lambda frame: _report(frame, running, deps))
    finally:
        if limit is not None:
            limit.cancel()
        running.child = None  # from here on it may serve another task: no late stop may hit it
        deps.pool.release(child)
        deps.running.pop(lease.task_id, None)
    return _stopped(running, outcome)


async def record(running: Running, outcome: Outcome | None, deps: Deps) -> Recorded | None:
    """Append the outcome under the fence; None when somebody else holds the task by now."""
    if outcome is None:
        return None
    lease = running.lease
    try:
        return await deps.record(RecordRequest(lease, RecordOutcome(fence=lease.fence, outcome=outcome)))
    except LeaseLost:
        logger.warning("lease lost, outcome dropped", extra={"task": lease.task_id, "fence": lease.fence})
        return None


async def settle(holding: Holding, running: Running, outcome: Outcome | None, recorded: Recorded, deps: Deps) -> None:
    """Tell the projections, give an interrupted task back, then acknowledge."""
    await deps.announcer.announce(recorded.news)
    if isinstance(outcome, Interrupted):
        await deps.announcer.hand_back(running.lease.command, running.lease.traceparent)
    deps.consumer.settle(holding.delivery)


async def set_aside(delivery: Delivery, error: MessageError, deps: Deps) -> None:
    """Dead-letter a delivery; the projections record it, and end its task if it names one."""
    logger.error("message set aside", extra={"reason": error.reason, "task": error.task_id})
    await deps.announcer.dead_letter(delivery, TASKS_QUEUE.name, error.reason)
    deps.consumer.settle(delivery)


def _run(lease: Lease) -> Run:
    command = lease.command
    return Run(
        task_id=command.task_id,
        name=command.name,
        parameters=command.parameters,
        payload_ref=command.payload_ref,
        owner=command.owner,
        attempt=lease.attempt,
        traceparent=lease.traceparent,
    )


def _limit(running: Running) -> asyncio.TimerHandle | None:
    seconds = running.lease.limit_seconds
    if seconds is None:
        return None
    return asyncio.get_running_loop().call_later(seconds, running.stop, Stop.TIME_LIMIT)


def _stopped(running: Running, outcome: Outcome) -> Outcome | None:
    """A kill of ours looks like a lost process; we know better. A task that ended before the kill has ended."""
    if not isinstance(outcome, Lost) or running.stopped is None:
        return outcome
    match running.stopped:
        case Stop.TIME_LIMIT:
            return TimedOut(limit_seconds=running.lease.limit_seconds or 0)
        case Stop.SHUTDOWN:
            return Interrupted(reason="the worker was told to stop")
        case Stop.LEASE_LOST:
            return None


def _report(frame: Progress | LogLine, running: Running, deps: Deps) -> None:
    lease = running.lease
    if isinstance(frame, LogLine):
        line = Line.at(lease.task_id, lease.attempt, frame.logged_at, frame.level, frame.text)
        deps.logbook.add(line)
        return
    event = ProgressReported(fence=lease.fence, percent=frame.percent, text=frame.text)
    report(running, Report(fence=lease.fence, event=event), deps)


def report(running: Running, intention: Report, deps: Deps) -> None:
    """Record progress or a heartbeat while the task code goes on."""
    reporting = asyncio.create_task(_record_report(running, intention, deps))
    running.reports.add(reporting)
    reporting.add_done_callback(running.reports.discard)


async def _record_report(running: Running, intention: Report, deps: Deps) -> None:
    try:
        recorded = await deps.record(RecordRequest(running.lease, intention))
    except LeaseLost:
        running.stop(Stop.LEASE_LOST)
        return
    if recorded.cancel_requested:
        running.tell_cancel()
    await deps.announcer.announce(recorded.news)


def heartbeat(running: Running, deps: Deps) -> None:
    """Say in the stream that the attempt is alive; finds out, too, when it has lost its lease."""
    fence = running.lease.fence
    report(running, Report(fence=fence, event=HeartbeatRecorded(fence=fence)), deps)


def _log_attempt(running: Running, outcome: Outcome | None) -> None:
    lease = running.lease
    seconds = asyncio.get_running_loop().time() - running.started_at
    logger.info(
        "attempt ended",
        extra={
            "task": lease.task_id,
            "name_of_task": lease.command.name,
            "attempt": lease.attempt,
            "outcome": type(outcome).__name__ if outcome is not None else "LeaseLost",
            "seconds": round(seconds, 3),
        },
    )
