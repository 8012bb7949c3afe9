"""What is recorded while task code runs: progress, log lines, heartbeats, and that a wish to cancel was heard."""

from __future__ import annotations

import asyncio

from batchtask.errors import LeaseLost
from batchtask.events import CancelNoticed, HeartbeatRecorded, ProgressReported
from batchtask.intentions import Report
from worker.children.frames import Appended, LogLine, Progress
from worker.deps import Deps
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
    """Say in the stream that the attempt is alive; finds out, too, when it has lost its lease."""
    _record_soon(running, HeartbeatRecorded(fence=running.lease.fence), deps)


def heed_cancel(running: Running, deps: Deps, *, force: bool) -> None:
    """Tell the task code to stop, or kill it; the first of both is noted in the stream."""
    if running.tell_cancel():
        _record_soon(running, CancelNoticed(fence=running.lease.fence), deps)
    if force:
        running.stop(Stop.CANCEL)


def _record_soon(running: Running, event: ProgressReported | HeartbeatRecorded | CancelNoticed, deps: Deps) -> None:
    reporting = asyncio.create_task(_record(running, event, deps))
    running.reports.add(reporting)
    reporting.add_done_callback(running.reports.discard)


async def _record(running: Running, event: ProgressReported | HeartbeatRecorded | CancelNoticed, deps: Deps) -> None:
    lease = running.lease
    try:
        recorded = await deps.record(RecordRequest(lease, Report(fence=lease.fence, event=event)))
    except LeaseLost:
        running.stop(Stop.LEASE_LOST)
        return
    if recorded.cancel_requested:
        heed_cancel(running, deps, force=recorded.cancel_forced)
    await deps.announcer.announce(recorded.news)
