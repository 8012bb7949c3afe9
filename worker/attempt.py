"""Carry one delivery from the broker to the event store. Read this file first.

claim → perform → record → announce → settle. The order is the design: the outcome is in the store before anybody
hears of it, and the delivery is acknowledged last, so a crash between any two steps leads to a redelivery that finds
its way from the stream.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from batchtask import signal_points
from batchtask.broker import Delivery
from batchtask.definitions import TaskDefinition
from batchtask.errors import LeaseLost, MessageError
from batchtask.intentions import RecordOutcome
from batchtask.outcomes import Cancelled, Interrupted, Lost, Outcome, OutOfMemory, Passed, TimedOut
from batchtask.topology import TASKS_QUEUE
from worker.children.frames import Run
from worker.claims import ClaimRequest
from worker.deps import Deps
from worker.lease import LastChance, Lease, Refused
from worker.limits import memory_limit_of, set_timers
from worker.reading import read
from worker.records import Recorded, RecordRequest
from worker.reports import heartbeat, heed_cancel, report, tell_survived
from worker.running import Holding, Running, Stop
from worker.solitude import CROWDED

logger = logging.getLogger(__name__)

#: Between two passes of a task whose definition names no pause. Every pass is some events for good.
PASS_PAUSE_SECONDS = 1.0


async def run_attempt(delivery: Delivery, deps: Deps) -> None:
    """Do everything that one delivery asks for.

    Safe to repeat at any point: whatever was done already is found in the stream.
    """
    try:
        request = read(delivery, deps)  # poison is set aside here, nothing else runs
    except MessageError as error:
        await set_aside(delivery, error, deps)
        return
    signal_points.reached("attempt.read")
    holding = hold(delivery, request, deps)  # None: an attempt of ours settles the new delivery, too
    if holding is None:
        return
    try:
        while not await (try_alone if holding.last_chance else try_once)(holding, request, deps):
            pass
    finally:
        deps.leased.discard(holding)
        if is_known(holding, request, deps):
            del deps.holding[request.command.id, request.message_id]


async def try_once(holding: Holding, request: ClaimRequest, deps: Deps) -> bool:
    """Claim, perform, record, settle. False when the task is not done with and we may still hold its message."""
    async with slot(holding, deps) as granted:
        if not granted:
            return True  # nothing was begun; the broker gives the message to somebody
        claim = await deps.claim(as_held(request, holding, deps))  # a second holder is refused here
        signal_points.reached("attempt.claimed")
        if isinstance(claim, Lease):
            if not claim.held:
                await let_go(holding, deps)  # from here on only the lease keeps others away
            running = Running(claim, _run(claim))
            if holding.cancel_hinted:
                heartbeat(running, deps)  # finds out what is true of it
            outcome = await perform(running, deps)  # the only step that runs task code
            signal_points.reached("attempt.performed")
    if isinstance(claim, LastChance):
        holding.last_chance = True
        return False
    if isinstance(claim, Refused):
        await deps.announcer.announce(claim.news)
        deps.consumer.settle(holding.delivery)
        return True
    recorded = await record(running, outcome, deps)  # the commit point
    signal_points.reached("attempt.recorded")
    _log_attempt(running, outcome)
    if recorded is None:
        # Another holder came between, by a redelivery. If the message is ours again, that one is dead: claim anew.
        return not claim.held
    if isinstance(outcome, Lost) and claim.held and not recorded.finished:
        deps.announcer.announce_soon(recorded.news)
        return False
    await settle(holding, running, outcome, recorded, deps)  # acknowledge last: a crash before this redelivers
    return True


async def try_alone(holding: Holding, request: ClaimRequest, deps: Deps) -> bool:
    """As `try_once`, with nothing beside it in this worker. What cannot be alone soon is deferred, or cancelled."""

    def gives_up() -> bool:
        stands_by = deps.draining or deps.paused
        return stands_by or holding.cancel_hinted or not deps.consumer.holds(holding.delivery)

    logger.info("last chance, to run alone", extra={"task": request.command.id})
    async with deps.solitude.alone(holding, gives_up) as granted:
        if deps.draining or deps.paused:
            await deps.adjust_prefetch()  # first, as in `slot`
            deps.consumer.give_back(holding.delivery)  # to another worker, before the drain is over
            return True
        asked = replace(request, alone=True) if granted else replace(request, unable=CROWDED)
        return await try_once(holding, asked, deps)


@asynccontextmanager
async def slot(holding: Holding, deps: Deps) -> AsyncIterator[bool]:
    """Wait for a slot and hold it; False when the delivery shall not be worked on any more."""
    loop = asyncio.get_running_loop()
    async with deps.slots:
        holding.started = True
        began = loop.time()
        if deps.closed or deps.solitude.keeps_out(holding):
            await deps.adjust_prefetch()  # first, or the broker would send it to us again
            deps.consumer.give_back(holding.delivery)
        granted = deps.consumer.holds(holding.delivery) and not deps.draining
        yield granted
        if granted:  # what was given back holds a slot for no time at all: that says nothing about tasks
            deps.prefetch.slot_held(loop.time() - began)


def hold(delivery: Delivery, request: ClaimRequest, deps: Deps) -> Holding | None:
    """Note that we have the message in hand; None when we had it already, and got it again after a reconnect.

    The earlier delivery died with its channel, the work under it did not: it goes on and settles this one.
    """
    held = deps.holding.get((request.command.id, request.message_id))
    if held is not None and held.delivery.epoch != delivery.epoch:
        held.delivery = delivery
        if held in deps.leased:
            deps.consumer.settle(delivery)  # it was acknowledged before: that was lost with the channel
        return None
    holding = Holding(request.message_id, delivery, asyncio.get_running_loop().time())
    deps.holding.setdefault((request.command.id, request.message_id), holding)
    return holding


def is_known(holding: Holding, request: ClaimRequest, deps: Deps) -> bool:
    """False for a copy of a message that we have in hand already, with the very same id."""
    return deps.holding.get((request.command.id, request.message_id)) is holding


def as_held(request: ClaimRequest, holding: Holding, deps: Deps) -> ClaimRequest:
    """The request as the newest delivery of its message puts it: others may have had it while ours waited."""
    redelivered = holding.delivery.redelivered and is_known(holding, request, deps)
    return replace(request, redelivered=redelivered, in_hand=lambda: deps.consumer.holds(holding.delivery))


async def let_go(holding: Holding, deps: Deps) -> None:
    """Acknowledge a message whose task is leased; the broker must not send another one in its place."""
    deps.leased.add(holding)
    await deps.adjust_prefetch()
    deps.consumer.settle(holding.delivery)
    signal_points.reached("attempt.let-go")


async def perform(running: Running, deps: Deps) -> Outcome | None:
    """Run the task code in a child and return what it ended in; None when the lease is lost."""
    lease = running.lease
    deps.announcer.announce_soon(lease.news)
    take_place(running, deps)
    if deps.stopping:
        running.stop(Stop.SHUTDOWN)
    child = running.child = await deps.pool.acquire(memory_limit_of(running, deps))
    timers = set_timers(running, deps)
    try:
        if running.stopped is not None:
            child.kill()
        if lease.cancel_requested:
            heed_cancel(running, deps)
        outcome = await child.run(running.run, lambda frame: report(frame, running, deps))
    finally:
        for timer in timers:
            timer.cancel()
        running.child = None  # from here on it may serve another task: no late stop may hit it
        deps.pool.release(child)
        if deps.running.get(lease.task_id) is running:
            del deps.running[lease.task_id]
    return _stopped(running, outcome, deps)


def take_place(running: Running, deps: Deps) -> None:
    """Be the attempt that beats and hears of wishes, unless a newer one at the same task runs here already.

    Two meet where a worker that was only slow was taken for dead and got the task again. The older one beats a last
    time: that finds its lease lost, and stops it.
    """
    lease = running.lease
    other = deps.running.get(lease.task_id)
    if other is None or other.lease.fence < lease.fence:
        deps.running[lease.task_id] = running
    if other is not None:
        heartbeat(min(running, other, key=lambda one: one.lease.fence), deps)


async def record(running: Running, outcome: Outcome | None, deps: Deps) -> Recorded | None:
    """Append the outcome under the fence; None when somebody else holds the task by now."""
    if outcome is None:
        return None
    lease = running.lease
    try:
        return await deps.record(RecordRequest(lease, _end(running, outcome, deps)))
    except LeaseLost:
        logger.warning("lease lost, outcome dropped", extra={"task": lease.task_id, "fence": lease.fence})
        if not isinstance(outcome, Lost):
            await tell_survived(lease, deps)
        return None


async def settle(holding: Holding, running: Running, outcome: Outcome | None, recorded: Recorded, deps: Deps) -> None:
    """Tell the projections, give an interrupted task back, then acknowledge."""
    lease = running.lease
    await deps.announcer.announce(recorded.news)
    signal_points.reached("attempt.announced")
    if isinstance(outcome, Interrupted) and lease.held and not recorded.finished:
        await deps.announcer.hand_back(lease.command, lease.traceparent)
        signal_points.reached("attempt.handed-back")
    if lease.held:
        deps.consumer.settle(holding.delivery)
    signal_points.reached("attempt.settled")


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
        fence=lease.fence,
        checkpoint=lease.checkpoint,
        traceparent=lease.traceparent,
    )


def _stopped(running: Running, outcome: Outcome, deps: Deps) -> Outcome | None:
    """A kill of ours looks like a lost process; we know better. A task that ended before the kill has ended."""
    if not isinstance(outcome, Lost) or running.stopped is None:
        return outcome
    match running.stopped:
        case Stop.TIME_LIMIT:
            return TimedOut(limit_seconds=running.lease.limit_seconds or 0)
        case Stop.MEMORY_LIMIT:
            return OutOfMemory(limit_mb=memory_limit_of(running, deps) or 0)
        case Stop.CANCEL:
            return Cancelled(forced=True)
        case Stop.SHUTDOWN:
            return Interrupted(reason="the worker was told to stop")
        case Stop.LEASE_LOST:
            return None


def _end(running: Running, outcome: Outcome, deps: Deps) -> RecordOutcome:
    definition = deps.registry[running.run.name]
    at = deps.now()
    ran = timedelta(seconds=asyncio.get_running_loop().time() - running.started_at)
    return RecordOutcome(
        fence=running.lease.fence,
        outcome=outcome,
        at=at,
        policy=definition.retry,
        chance=random.random(),  # noqa: S311 - spreads retries, guards nothing
        pause_until=_next_pass_at(definition, at - ran, at) if isinstance(outcome, Passed) else None,
        loses_message=not running.lease.held,
    )


def _next_pass_at(definition: TaskDefinition, began_at: datetime, ended_at: datetime) -> datetime:
    if not definition.exclusive:
        return ended_at + timedelta(seconds=PASS_PAUSE_SECONDS)
    return max(
        began_at + timedelta(seconds=definition.start_interval_seconds),
        ended_at + timedelta(seconds=definition.minimum_sleep_seconds),
    )


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
