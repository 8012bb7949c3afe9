"""The table at the end of the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from batchtask.cli.render import STATE_STYLES
from projections.queries import TaskRow


def print_report(console: Console, rows: Sequence[TaskRow], sent: Path) -> None:
    """Say what became of each task, and where the files and the mails that were sent are."""
    table = Table(title="What happened", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("No.", "Task", "State", "Seconds", "Response"):
        table.add_column(column, justify="right" if column in {"No.", "Seconds"} else "left", overflow="fold")
    for row in rows:
        mark, style = STATE_STYLES[row.state]
        seconds = (row.updated - row.registered).total_seconds()
        table.add_row(
            str(row.batchtask_id),
            escape(row.description),
            f"[{style}]{mark} {row.state.name}[/]",
            f"{seconds:.1f}",
            escape(row.response),
        )
    console.print()
    console.print(table)
    files = [Path(row.filename) for row in rows if row.filename]
    if files:
        console.print("\n[bold]Files[/]")
    for path in files:
        console.print(f"  {path} [dim]{path.stat().st_size / 1024:,.0f} KiB[/]", soft_wrap=True)
    mails = len(list(sent.glob("*.eml")))
    console.print(f"  {sent.absolute()} [dim]{mails} mails[/]", soft_wrap=True)
