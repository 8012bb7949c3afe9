"""`make bench`: what the README and docs/benchmarks.md say about speed, measured here and now.

Run as `python -m tests.benchmarks`; starts servers of its own unless URLs name some.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from batchtask.cli.system import running_system
from tests.benchmarks.about import about, print_about
from tests.benchmarks.measurements import Bench, Measured

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "bench"
LATEST = ROOT / "benchmarks" / "latest.json"
PLUGINS = ROOT / "tests" / "plugins"
WORKERS = 1

#: key → what it is, unit, and what must be reached.
MARKS: dict[str, tuple[str, str, float | None]] = {
    "submit_one_per_s": ("confirmed submits, one at a time", "/s", None),
    "submit_many_per_s": ("confirmed submits, pipelined", "/s", 5_000),
    "end_to_end_per_s": ("no-op tasks, submitted to row projected", "/s", 1_200),
    "start_latency_ms_p50": ("submit → task body runs, p50", "ms", None),
    "start_latency_ms_p99": ("submit → task body runs, p99", "ms", None),
    "row_freshness_ms_p99": ("outcome recorded → row shows it, p99", "ms", None),
    "row_freshness_loaded_ms_p99": ("the same under full load", "ms", None),
    "idle_pss_mb": ("an idle worker with 2 children, PSS", "MB", None),
    "start_to_first_task_s": ("worker process starts → task body runs", "s", None),
}


def main() -> int:
    """Measure, print one table, and write `benchmarks/latest.json`."""
    console = Console(highlight=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    paths = [str(PLUGINS), os.environ.get("PYTHONPATH", "")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "BATCHTASK_LOG_LEVEL": "info"}
    sys.path.insert(0, str(PLUGINS))  # the producer checks against the same tasks
    with (
        running_system(
            FOLDER,
            environ,
            workers=0,
            announce=lambda line: console.print(f"[dim]{line}[/]"),
            on_line=lambda *_: None,
        ) as system,
        Bench({**environ, **system.exports}, workers=WORKERS) as bench,
    ):
        measured = bench.measure(console.print)
        described = _about(bench)
    _print(console, measured)
    print_about(console, described)
    LATEST.write_text(json.dumps({**measured, "about": described}, indent=2) + "\n")
    return 0


def _about(bench: Bench) -> dict[str, str]:
    return {
        **about(bench.settings.database_url, "make bench"),
        "broker": bench.broker_version(),
        "workers": f"{WORKERS} process, BATCHTASK_MAX_TASKS={bench.max_tasks}; 1 projections process",
    }


def _print(console: Console, measured: Measured) -> None:
    table = Table("What", "Measured", "Mark", title="Benchmark", title_justify="left", box=None, pad_edge=False)
    for key, (what, unit, mark) in MARKS.items():
        table.add_row(what, f"{measured[key]:,.6g} {unit}", f"≥ {mark:,.0f} {unit}" if mark else "")
    console.print()
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
