"""What a measurement was made with; a number without it says nothing."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from sqlalchemy import create_engine

LIBRARIES = ("pika", "psycopg", "sqlalchemy", "msgspec")


def about(database_url: str, command: str, libraries: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Describe machine, versions and command."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {_cpu()}, Linux {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "database": _database_version(database_url),
        "libraries": ", ".join(f"{name} {version(name)}" for name in libraries),
        "command": command,
    }


def print_about(console: Console, described: dict[str, str]) -> None:
    for name, value in described.items():
        console.print(f"[dim]{name:<12} {value}[/]", soft_wrap=True)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _database_version(database_url: str) -> str:
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"
    finally:
        engine.dispose()
