"""Progress bars that follow the rows of tasks until all have finished."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from batchtask.cli.render import STATE_STYLES, escape
from batchtask.identifiers import TaskId
from projections.queries import Queries, TaskRow

#: Seconds between two looks at the rows: one indexed query each, and quick enough to look alive.
LOOK_EVERY_SECONDS = 0.2
BAR_WIDTH = 20


def watch_tasks(
    queries: Queries, task_ids: Sequence[TaskId], *, deadline: float | None = None, quiet: bool = False
) -> list[TaskRow]:
    """Show bars until all tasks have finished or `deadline` (monotonic seconds) is past; return their rows."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=BAR_WIDTH, table_column=Column(min_width=BAR_WIDTH)),
        TaskProgressColumn(),
        TimeElapsedColumn(table_column=Column(min_width=7)),
        TextColumn("[dim]{task.fields[stage]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=console, refresh_per_second=10, expand=True) as progress:
        bars = {task_id: progress.add_task(_title(None), total=100, stage="") for task_id in task_ids}
        while True:
            rows = queries.by_ids(task_ids)
            for row in rows:
                _show(progress, bars[TaskId(row.task_id)], row)
            finished = sum(row.finished for row in rows)
            if finished == len(bars) or (deadline is not None and time.monotonic() > deadline):
                return rows
            time.sleep(LOOK_EVERY_SECONDS)


def _show(progress: Progress, bar: TaskID, row: TaskRow) -> None:
    if progress.tasks[bar].finished:
        return
    stage = row.response if row.finished else row.progressdescription
    completed = 100 if row.finished else row.progresspercent
    progress.update(bar, description=_title(row), completed=completed, stage=escape(_one_line(stage, 200)))


def _title(row: TaskRow | None) -> str:
    if row is None:
        return "[yellow]○[/] on its way"
    mark, style = STATE_STYLES[row.state]
    return f"[{style}]{mark}[/] {escape(_one_line(row.description or row.name, 32)):<32}"


def _one_line(text: str, width: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
