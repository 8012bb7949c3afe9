"""Tables and panels of the command line."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.markup import escape as escape_markup
from rich.table import Table

from batchtask import upcasters
from batchtask.events import RecordedEvent
from batchtask.topology import Topology
from projections.queries import DeadLetter, LoggedLine, TaskRow
from projections.rows import State
from projections.schedules import Schedule
from projections.telling import Names, tell

#: Mark and colour of each state.
STATE_STYLES = {
    State.Unknown: ("?", "dim"),
    State.New: ("○", "yellow"),
    State.Aquired: ("◔", "yellow"),
    State.Started: ("●", "cyan"),
    State.Succeeded: ("✔", "green"),
    State.Failed: ("✘", "red"),
    State.SucceededManualCleanup: ("✔", "green"),
}


#: Control characters would drive the terminal, and bidirectional overrides would make a line read as another one.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escape(text: str) -> str:
    """Make text of users safe to print."""
    return escape_markup(_UNPRINTABLE.sub("", text))


def tasks(rows: Sequence[TaskRow]) -> RenderableType:
    """Tasks as a table, one line each."""
    if not rows:
        return "No tasks."
    table = new_table("No.", "State", "Task", "Description", "Progress", "Submitted", "Response")
    for row in rows:
        table.add_row(
            str(row.batchtask_id),
            state_mark(row.state, stopping=row.stopping),
            row.name,
            escape(row.description),
            f"{row.progresspercent} %",
            clock(row.registered),
            escape(row.response or row.progressdescription),
        )
    return table


def task(row: TaskRow, lines: Sequence[LoggedLine]) -> RenderableType:
    """One task with all that its row says, and its log."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    facts = {
        "task": f"{row.name}  [dim]{row.task_id}, number {row.batchtask_id}[/]",
        "description": escape(row.description),
        "state": state_mark(row.state, stopping=row.stopping),
        "progress": escape(f"{row.progresspercent} % {row.progressdescription}"),
        "response": escape(row.response),
        "file": escape(row.filename or ""),
        "owner": str(row.registered_associate_id or "system"),
        "submitted": clock(row.registered),
        "goes on": f"at {clock(row.due_at)}" if row.due_at is not None else "",
        "started": f"{row.startcount} times" if row.startcount != 1 else "once",
        "last news": clock(row.updated),
    }
    for label, text in facts.items():
        if text:
            table.add_row(label, text)
    return Group(table, *(log_line(line) for line in lines))


def history(events: Sequence[RecordedEvent], names: Names) -> RenderableType:
    """The events of one task as a table, with the login names of those who had a part in it."""
    table = new_table("#", "Time", "Event", "What")
    for event in events:
        detail = getattr(event.body, "detail", "")
        what = escape(tell(event.body, names)) + (f"\n[dim]{escape(detail)}[/]" if detail else "")
        table.add_row(
            str(event.version), clock(event.occurred_at, seconds=True), upcasters.events.name(event.body), what
        )
    return table


def dead_letters(letters: Sequence[DeadLetter]) -> RenderableType:
    """What was set aside, as a table."""
    if not letters:
        return "Nothing was set aside."
    table = new_table("No.", "Arrived", "Queue", "Task", "Reason")
    for letter in letters:
        table.add_row(
            str(letter.id),
            clock(letter.arrived_at),
            letter.queue,
            str(letter.task_id or "unknown"),
            escape(letter.reason),
        )
    return table


def schedules(rows: Sequence[Schedule]) -> RenderableType:
    """Schedules as a table, one line each."""
    if not rows:
        return "No schedules."
    table = new_table("Name", "Ticks", "Task", "Next run", "Last run", "Note")
    for row in rows:
        table.add_row(
            escape(row.name),
            f"{escape(row.cron)}  [dim]{escape(row.time_zone)}[/]",
            escape(row.task),
            "[yellow]paused[/]" if row.paused else clock(row.next_at),
            _last_run(row),
            escape(f"{clock(row.noted_at)} {row.note}" if row.noted_at else row.note),
        )
    return table


def _last_run(row: Schedule) -> str:
    if row.last_at is None:
        return "never"
    which = "" if row.last_batchtask_id is None else f" [dim]No. {row.last_batchtask_id}[/]"
    return f"{clock(row.last_at)}{which}" + ("" if row.last_state is None else f" {state_mark(row.last_state)}")


def topology(declared: Topology) -> RenderableType:
    """Exchanges, queues and bindings."""
    table = new_table("Queue", "Bound to", "Arguments")
    for queue in declared.queues:
        bindings = "\n".join(f"{binding.exchange} ← {binding.routing_key or '*'}" for binding in queue.bindings)
        arguments = "\n".join(f"{name} = {value}" for name, value in queue.arguments.items())
        table.add_row(queue.name, bindings, arguments)
    exchanges = ", ".join(f"{exchange.name} ({exchange.type})" for exchange in declared.exchanges)
    return Group(f"Exchanges: {exchanges}", table)


def findings(rows: Iterable[tuple[str, bool, str]]) -> RenderableType:
    """What `doctor` found: subject, fine or not, in words."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for subject, fine, words in rows:
        table.add_row("[green]✔[/]" if fine else "[red]✘[/]", subject, escape(words))
    return table


def new_table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def state_mark(state: State, *, stopping: bool = False) -> str:
    mark, style = STATE_STYLES[state]
    return f"[{style}]{mark} {state.name}{', stopping' if stopping else ''}[/]"


def clock(at: datetime, *, seconds: bool = False) -> str:
    """A time by the clocks of whoever reads it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f" if seconds else "%Y-%m-%d %H:%M")


def log_line(line: LoggedLine) -> str:
    style = "red" if line.level >= logging.ERROR else "yellow" if line.level >= logging.WARNING else "dim"
    return f"[{style}]{clock(line.logged_at, seconds=True)} {escape(line.text)}[/]"
