"""`make bench-tasks`: how long the built-in tasks take, and how much memory, on the data they must stand.

Run as `python -m tests.benchmarks.tasks [AREA …]`. Each area is a module `tasks_<area>` with a function
`measure(database_url, folder)`; it gets an empty CRM and a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, make_url, text

from batchtask.local import provide
from batchtask.migrations import upgrade
from tests.benchmarks.about import about, print_about

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "bench-tasks"
LATEST = ROOT / "benchmarks" / "tasks.json"

#: area → key → what it is, unit, and the most it may be.
MARKS: dict[str, dict[str, tuple[str, str, float | None]]] = {
    "report": {
        "pdf_seconds": ("report: 3 500 rows as PDF", "s", 4),
        "text_seconds": ("report: 100 000 rows as text", "s", None),
        "peak_mb": ("report: peak memory of both", "MB", 200),
    },
    "letters": {
        "letters_docx_s": ("mail merge: 10 000 letters, one .docx", "s", 60),
        "letters_docx_mb": ("mail merge: peak memory", "MB", 200),
        "letters_files_s": ("mail merge: 10 000 letters, a .docx each", "s", None),
        "letters_files_mb": ("mail merge: peak memory", "MB", 200),
        "letters_labels_s": ("mail merge: 10 000 labels as PDF", "s", None),
        "letters_labels_mb": ("mail merge: peak memory", "MB", 200),
    },
    "email": {
        "mails_per_second": ("mail merge: mails to a server in the same process", "/s", None),
        "database_ms_per_mail": ("mail merge: the ledger, per mail", "ms", None),
        "memory_mb": ("mail merge: peak memory", "MB", 200),
    },
    "inbox": {
        "first_messages_per_second": ("inbox: first download", "messages/s", None),
        "first_peak_rss_mb": ("inbox: peak memory", "MB", 200),
        "nothing_new_seconds": ("inbox: a run that finds nothing new", "s", None),
        "50_mb_attachment_peak_rss_mb": ("inbox: peak memory with a 50 MB attachment", "MB", 200),
    },
    "udef": {
        "seconds": ("publish-udef: 200 000 records with 119 fields", "s", None),
        "peak_mb": ("publish-udef: peak memory", "MB", 200),
        "reader_ms": ("publish-udef: longest wait of a reader meanwhile", "ms", None),
    },
    "status_monitors": {
        "monitors_first_seconds": ("status monitors: 8 of them, 1 M companies, first time", "s", 30),
        "monitors_second_seconds": ("status monitors: the same a day later", "s", 30),
        "counters_first_seconds": ("counters: 1 M companies, 600 k activities, 300 k sales", "s", 30),
        "counters_second_seconds": ("counters: the same a day later", "s", 30),
        "matches": ("status monitors: matches", "rows", None),
    },
}


def main(areas: Sequence[str]) -> int:
    """Measure, print one table, and write `benchmarks/tasks.json`. Returns 1 if a mark was missed."""
    unknown = [area for area in areas if area not in MARKS]
    if unknown:
        sys.stderr.write(f"bench-tasks: no area {', '.join(unknown)}; known: {', '.join(MARKS)}\n")
        return 2
    console = Console(highlight=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    measured: dict[str, dict[str, float]] = json.loads(LATEST.read_text()) if areas and LATEST.exists() else {}
    with provide(
        FOLDER, os.environ, announce=lambda line: console.print(f"[dim]{line}[/]"), need_broker=False
    ) as services:
        for area in areas or MARKS:
            console.print(f"[dim]{area} ...[/]")
            measured[area] = _measure(area, services.database_url)
        described = about(services.database_url, "make bench-tasks")
    _print(console, measured)
    print_about(console, described)
    LATEST.write_text(json.dumps({**measured, "about": described}, indent=2) + "\n")
    return int(any(_missed(measured)))


def _measure(area: str, server_url: str) -> dict[str, float]:
    folder = FOLDER / area
    folder.mkdir(parents=True)
    # Not a pool of multiprocessing: its processes may not start any themselves.
    with (
        _own_database(server_url, area) as database_url,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        return process.submit(_call, area, database_url, folder).result()


def _call(area: str, database_url: str, folder: Path) -> dict[str, float]:
    found: dict[str, float] = import_module(f"tests.benchmarks.tasks_{area}").measure(database_url, folder)
    return found


@contextmanager
def _own_database(server_url: str, area: str) -> Iterator[str]:
    name = f"bench_{area}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
            url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
            upgrade(url)
            yield url
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        server.dispose()


def _print(console: Console, measured: dict[str, dict[str, float]]) -> None:
    table = Table("What", "Measured", "Mark", title="Built-in tasks", title_justify="left", box=None, pad_edge=False)
    for area, marks in MARKS.items():
        for key, (what, unit, mark) in marks.items():
            if area in measured:
                table.add_row(what, f"{measured[area][key]:,.4g} {unit}", f"≤ {mark:,g} {unit}" if mark else "")
    console.print()
    console.print(table)


def _missed(measured: dict[str, dict[str, float]]) -> Iterator[bool]:
    for area, marks in MARKS.items():
        for key, (_, _, mark) in marks.items():
            yield mark is not None and area in measured and measured[area][key] > mark


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
