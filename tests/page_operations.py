"""What administrators look at: workers, a day of statistics, schedules. For tests and screenshots of Operations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert

from batchtask.messages import SubmitTask
from batchtask.tables_statistics import minute_statistics, statistics_progress
from batchtask.tables_workers import worker
from projections.schedules import Schedules
from tests.page_tasks import WORKER

DAY_MINUTES = 24 * 60


def add_workers(engine: Engine, now: datetime) -> None:
    """Add the worker that the stories tell of, one that idles, and one that vanished yesterday."""
    later = now + timedelta(hours=1)  # nobody renews these rows: they live as long as whoever looks
    rows = [
        _worker(WORKER, slots=16, running=2, started_at=now - timedelta(days=6), seen_at=later),
        _worker("crm-batch-2/892/5be1c07a", slots=16, running=0, started_at=now - timedelta(hours=3), seen_at=later),
        _worker(
            "crm-batch-3/2210/77aa01f3",
            slots=8,
            running=0,
            started_at=now - timedelta(days=2),
            seen_at=now - timedelta(hours=5),
        ),
    ]
    with engine.begin() as connection:
        connection.execute(insert(worker), rows)


def _worker(name: str, **more: Any) -> dict[str, Any]:
    host, pid, _ = name.split("/")
    return {"id": name, "host": host, "pid": int(pid), "version": "0.1.0", "draining": False} | more


def add_statistics(engine: Engine, now: datetime) -> None:
    """Add a day with a quiet night, a busy morning, and an hour in which a mail server was away."""
    with engine.begin() as connection:
        connection.execute(insert(minute_statistics), list(_minutes(now)))
        # Projections that run beside leave these minutes alone.
        connection.execute(insert(statistics_progress), {"final_until": now, "next_at": now + timedelta(days=1)})


def _minutes(now: datetime) -> Iterator[dict[str, Any]]:
    this = now.astimezone(UTC).replace(second=0, microsecond=0)
    for ago in range(1, DAY_MINUTES):
        wave = max(0.0, math.sin((DAY_MINUTES - ago) / DAY_MINUTES * 2 * math.pi - 1.2)) + 0.15
        done = round(40 * wave * (1 + 0.25 * math.sin(ago / 61) + 0.15 * math.sin(ago / 23)))
        failed = done // 4 if 300 < ago < 360 else done // 40
        waits = done + failed
        wait_seconds = waits * (0.02 + (2.5 * wave if 260 < ago < 420 else 0.4 * wave))
        yield {
            "name": "", "minute": this - timedelta(minutes=ago),
            "submitted": waits + (3 if 300 < ago < 420 else 0),
            "succeeded": done, "failed": failed, "cancelled": ago % 97 == 0,
            "waits": waits, "wait_seconds": wait_seconds, "longest_wait_seconds": wait_seconds / max(1, waits) * 4,
            "runs": waits, "run_seconds": waits * (3 + 2 * wave), "longest_run_seconds": 30.0,
        }  # fmt: skip


def add_schedules(engine: Engine) -> None:
    """Add three schedules, one of them paused."""
    schedules = Schedules(engine)
    for name, cron, task, description in [
        ("monitors-nightly", "30 2 * * *", "status-monitors", "All status monitors and counters"),
        ("inboxes", "*/10 6-20 * * mon-fri", "inbox", "New mail of all users"),
        ("reminders-monthly", "0 7 1 * *", "mail-merge", "Reminders"),
    ]:
        command = SubmitTask(task_id="", name=task, description=description, submitted_at=datetime.now(UTC))
        schedules.add(name, cron, "Europe/Oslo", command)
    schedules.pause("reminders-monthly")
