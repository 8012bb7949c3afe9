"""What is recorded while task code runs: progress, log lines, heartbeats, and that a wish to cancel was heard."""

from __future__ import annotations

import asyncio
import contextlib

from batchtask.errors import LeaseLost
from batchtask.events import CancelNoticed, HeartbeatRecorded, ProgressReported
from batchtask.intentions import Report, Survive
from worker.children.frames import Appended, LogLine, Progress
from worker.deps import Deps
from worker.lease import Lease
from worker.logbook import Line
from worker.records import RecordRequest
from worker.running import Running, Stop


def report(frame: Progress | LogLine | Appended, running: Running, deps: Deps) -> None:
    """Take in what the child says."""
    lease = running.lease
    if isinstance(frame, LogLine):
        deps.logbook.add(Line.at(lease.task_id, lease.attempt, frame.logged_at, frame.level, frame.text))
        return
    if isinstance(frame, Appended):
        lease.follow(frame.version)
        return
    _record_soon(running, ProgressReported(fence=lease.fence, percent=frame.percent, text=frame.text), deps)


def heartbeat(running: Running, deps: Deps) -> None:
    """Say in the stream that the attempt is alive; finds out, too, of a wish to cancel, and of a lost lease."""
    _record_soon(running, HeartbeatRecorded(fence=running.lease.fence), deps)


def heed_cancel(running: Running, deps: Deps) -> None:
    """Tell the task code to stop, or kill it, as its lease has it; the first of both is noted in the stream."""
    if running.tell_cancel():
        _record_soon(running, CancelNoticed(fence=running.lease.fence), deps)
    if running.lease.cancel_forced:
        running.stop(Stop.CANCEL)


def _record_soon(running: Running, event: ProgressReported | HeartbeatRecorded | CancelNoticed, deps: Deps) -> None:
    reporting = asyncio.create_task(_record(running, event, deps))
    running.reports.add(reporting)
    reporting.add_done_callback(running.reports.discard)


async def tell_survived(lease: Lease, deps: Deps) -> None:
    """Say that an attempt that lost its lease has not died, if somebody thought so: a cut line is no death.

    A crash before that leaves the attempt charged as lost.
    """
    with contextlib.suppress(LeaseLost):
        recorded = await deps.record(RecordRequest(lease, Survive(fence=lease.fence)))
        await deps.announcer.announce(recorded.news)


async def _record(running: Running, event: ProgressReported | HeartbeatRecorded | CancelNoticed, deps: Deps) -> None:
    lease = running.lease
    try:
        recorded = await deps.record(RecordRequest(lease, Report(fence=lease.fence, event=event)))
    except LeaseLost:
        alive = running.child is not None and running.child.alive
        running.stop(Stop.LEASE_LOST)
        if alive:
            await tell_survived(lease, deps)
        return
    if recorded.cancel_requested:
        heed_cancel(running, deps)
    await deps.announcer.announce(recorded.news)
