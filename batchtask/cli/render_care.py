"""Tables of dead tasks and of what the reconciler found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table

from batchtask.cli.render import clock, escape, log_line, new_table, state_mark
from batchtask.removal import Removed
from projections.attempts import Attempt
from projections.dead_tasks import DeadTask, TaskReport
from projections.passes import Reconciled
from projections.reconcile import Fault

#: What each fault is called, and what was done about it.
FAULTS = {
    Fault.ROW_BEHIND: "rows behind their streams: projected",
    Fault.LEASE_EXPIRED: "attempts without a sign of life: lost, and tried again as far as their budget allows",
    Fault.MESSAGE_GONE: "queued tasks without a message: published again",
}
#: Repairs named one by one; the rest is in `--json` and in the tasks' histories.
MOST_REPAIRS = 20


def dead_tasks(rows: Sequence[DeadTask]) -> RenderableType:
    """Dead tasks as a table, one line each."""
    if not rows:
        return "No dead tasks."
    table = new_table("No.", "Ended", "Task", "Owner", "Tries", "Cause", "Message")
    for row in rows:
        table.add_row(
            str(row.batchtask_id),
            clock(row.ended_at),
            escape(row.name),
            str(row.owner or "system"),
            str(row.startcount),
            row.cause,
            escape(row.message),
        )
    return table


def task_report(report: TaskReport) -> RenderableType:
    """One task with every attempt, its error and its log lines."""
    row = report.task
    parameters = report.payload_ref or msgspec.json.encode(report.parameters).decode()
    head = Table(box=None, show_header=False, pad_edge=False)
    head.add_column(style="dim")
    head.add_row("task", f"{escape(row.name)}  [dim]{row.task_id}, number {row.batchtask_id}[/]")
    head.add_row("state", f"{state_mark(row.state)}  {escape(row.response or row.progressdescription)}")
    head.add_row("parameters", escape(parameters))
    parts: list[RenderableType] = [head]
    for attempt in report.attempts:
        parts += _attempt(attempt)
    return Group(*parts)


def _attempt(attempt: Attempt) -> Iterator[RenderableType]:
    ended = clock(attempt.ended_at, seconds=True) if attempt.ended_at else "…"
    yield f"\n[bold]Attempt {attempt.attempt}[/]  {escape(attempt.outcome)}  {escape(attempt.message)}"
    yield f"[dim]{clock(attempt.started_at, seconds=True)} to {ended} on {escape(attempt.worker)}[/]"
    if attempt.detail:
        yield f"[red]{escape(attempt.detail)}[/]"
    yield from map(log_line, attempt.log)


def reconciled(found: Reconciled, *, dry_run: bool) -> RenderableType:
    """Where all tasks are, and what was wrong."""
    places = new_table("Queued", "Waiting", "Running", "Finished", "Dead")
    places.add_row(*map(str, (found.queued, found.waiting, found.running, found.finished, found.dead)))
    return Group(places, *_remarks(found), *_repairs(found, dry_run=dry_run))


def pruned(found: Removed, *, dry_run: bool) -> str:
    """What is gone, or would be."""
    verb = "Would remove" if dry_run else "Removed"
    megabytes = found.bytes / 1_000_000
    return f"{verb} {found.tasks} tasks, {found.files} result files ({megabytes:.1f} MB), {found.payloads} payloads."


def _remarks(found: Reconciled) -> Iterator[str]:
    if found.overdue:
        yield f"Overdue: {found.overdue} of the waiting tasks. Does a projections process run?"
    if found.outbox:
        yield f"Waiting in the outbox for a relay: {found.outbox}."
    if found.unproved:
        seen = "the broker does not answer" if found.ready_messages is None else "while messages wait in the queue"
        yield (
            f"Unproved: {found.unproved} of the queued tasks may have no message, for all that can be told: {seen}. "
            "If the broker lost its disk, use --publish-all."
        )


def _repairs(found: Reconciled, *, dry_run: bool) -> Iterator[str]:
    if not found.repairs:
        yield "Nothing to repair."
        return
    yield "Would repair:" if dry_run else "Repaired:"
    for fault, count in Counter(repair.fault for repair in found.repairs).items():
        yield f"{count} {FAULTS[fault]}"
    for repair in found.repairs[:MOST_REPAIRS]:
        yield f"  {repair.task_id}  {repair.fault}  {', '.join(repair.events)}"
