"""Tables of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType

from batchtask.cli.render import clock, escape, new_table
from batchtask.pausing import Pause
from projections.workers import RunningTask, WorkerView


def workers(rows: Sequence[WorkerView], standing: Pause | None) -> RenderableType:
    """Workers as a table, one line each, and below each what it runs."""
    said = [] if standing is None else [f"[yellow]All workers are paused[/]: {pause(standing)}."]
    if not rows:
        return Group("No workers.", *said)
    table = new_table("Worker", "State", "Runs", "Since", "Last heard of", "Version")
    for row in rows:
        runs = f"{len(row.running)} of {row.slots}"
        table.add_row(
            escape(row.id), _state(row), runs, clock(row.started_at), clock(row.seen_at), escape(row.version)
        )
    return Group(table, *said, *(line for row in rows for line in _tasks(row)))


def pause(stands: Pause) -> str:
    """A pause in words: who, since when, and why."""
    reason = f", because: {escape(stands.reason)}" if stands.reason else ""
    return f"by {escape(stands.paused_by)} since {clock(stands.paused_at)}{reason}"


def _state(row: WorkerView) -> str:
    if not row.alive:
        return "[red]✘ not heard of[/]"
    if row.draining:
        return "[yellow]◔ ending[/]"
    return "[yellow]○ paused[/]" if row.paused else "[green]● ready[/]"


def _tasks(row: WorkerView) -> Iterator[str]:
    if row.running:
        verb = "runs" if row.alive else "held, until others take over"
        yield f"\n[bold]{escape(row.id)}[/] {verb}"
        yield from map(_task, row.running)


def _task(task: RunningTask) -> str:
    owner, since = escape(task.owner_name or "system"), clock(task.started_at)
    return f"  No. {task.number}  {escape(task.title)}  {task.percent} %  [dim]{owner}, since {since}[/]"
