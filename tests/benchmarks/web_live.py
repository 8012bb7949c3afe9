"""What 500 browsers with open live streams cost one web process, and how soon each hears of its task.

Run as `python -m tests.benchmarks.web_live`; the servers are private ones unless URLs name some. The streams are
read by this process, the web process has one of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from rich.console import Console
from sqlalchemy import text

from batchtask.database import make_engine
from batchtask.http.service_tokens import issue_token
from batchtask.local import provide
from batchtask.settings import Settings
from producer.blocking import Producer
from producer.task_request import TaskRequest
from tests.benchmarks.about import about, print_about
from tests.benchmarks.databases import migrated_database
from tests.crm_support import add_user, crm_rows
from tests.polling import eventually
from tests.system import Part, System, running_system

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "bench-live"
LATEST = ROOT / "benchmarks" / "live.json"
STREAMS = 500
LOAD_SECONDS = 20
LOAD_PER_SECOND = 2000
#: key → what it is, unit, and the most it may be.
MARKS: dict[str, tuple[str, str, float | None]] = {
    "idle_mb": ("web process, nobody listens: RSS", "MB", None),
    "listening_mb": (f"the same with {STREAMS} open streams", "MB", 300),
    "opening_s": (f"{STREAMS} streams opened at once, until all are up to date", "s", None),
    "quiet_ms_p50": ("an outcome recorded → its owner's stream says so, one task a user, p50", "ms", None),
    "quiet_ms_p99": ("the same, p99", "ms", None),
    "quiet_ms_max": ("the same, slowest", "ms", 1000),
    "burst_ms_p50": (f"the same, the tasks of all {STREAMS} at once, p50", "ms", None),
    "burst_ms_max": ("the same, slowest", "ms", 1000),
    "loaded_ms_p50": ("the same beside no-op tasks of strangers, p50", "ms", None),
    "loaded_ms_max": ("the same, slowest", "ms", None),
    "load_per_s": ("no-op tasks of strangers that were submitted meanwhile", "/s", None),
    "cpu_percent": ("processor that the web process takes meanwhile", "%", None),
    "unheard_cpu_percent": ("the same when nobody listens", "%", None),
    "most_mb": ("web process at the end: RSS", "MB", 300),
}


@dataclass
class Streams:
    """Reads all streams on a loop in a thread, and notes when each heard of the end of which task."""

    url: str
    tokens: Sequence[str]
    ready: int = 0
    lost: int = 0
    delays_ms: dict[str, float] = field(default_factory=dict)  # by task id

    def run(self) -> None:
        asyncio.run(self._read_all())

    async def _read_all(self) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        reading = [asyncio.create_task(self._read(token)) for token in self.tokens]
        await self._stopping.wait()
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def _read(self, token: str) -> None:
        place = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(
            f"GET /api/v2/live HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        while line := await reader.readline():
            if line.startswith(b"event: ready"):
                self.ready += 1
            elif line.startswith(b"data: {") and b'"state":"succeeded"' in line:
                view = json.loads(line[6:])
                late = datetime.now(UTC) - datetime.fromisoformat(view["updated_at"])
                self.delays_ms.setdefault(view["id"], late.total_seconds() * 1000)
        self.lost += 1
        writer.close()


@contextmanager
def listening(url: str, tokens: Sequence[str]) -> Iterator[Streams]:
    streams = Streams(url, tokens)
    thread = threading.Thread(target=streams.run)
    thread.start()
    try:
        eventually(lambda: streams.ready == len(tokens), seconds=60)
        yield streams
    finally:
        streams.stop()
        thread.join()


class Load:
    """Submits no-op tasks that nobody listens to, at a steady rate, until it is told to stop."""

    def __init__(self, amqp_url: str) -> None:
        self._producer = Producer(Settings(amqp_url=amqp_url, submit_seconds=30))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.submitted = 0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._producer.close()

    def _run(self) -> None:
        portion = LOAD_PER_SECOND // 10
        due = time.monotonic()
        while not self._stopping.is_set():
            self._producer.submit_many([TaskRequest(name="noop") for _ in range(portion)])
            self.submitted += portion
            due = max(due + 0.1, time.monotonic())
            self._stopping.wait(due - time.monotonic())


def measure(system: System, database_url: str) -> dict[str, float]:
    owners, tokens = _users(database_url)
    web = system.web()
    for part in (web, system.projections(), system.worker(max_tasks=64)):
        part.wait_ready()
    found = {"idle_mb": _rss_mb(web)}
    with Load(system.amqp_url) as load:
        found["unheard_cpu_percent"] = _cpu_percent(web, load, LOAD_SECONDS / 2)[0]
    _drained(system)
    began = time.monotonic()
    with listening(web.url, tokens) as streams:
        found["opening_s"] = round(time.monotonic() - began, 2)
        found["listening_mb"] = _rss_mb(web)
        found |= _told(system, streams, owners, "quiet", pause_seconds=0.02)
        found |= _told(system, streams, owners, "burst", pause_seconds=0)
        with Load(system.amqp_url) as load:
            found["cpu_percent"], found["load_per_s"] = _cpu_percent(web, load, LOAD_SECONDS)
            found |= _told(system, streams, owners, "loaded", pause_seconds=0.02)
        assert streams.lost == 0
        found["most_mb"] = _rss_mb(web)
    return found


def _users(database_url: str) -> tuple[list[int], list[str]]:
    with crm_rows(database_url) as add:
        owners = [add_user(add, f"user{number}") for number in range(STREAMS)]
    engine = make_engine(database_url)
    tokens = [issue_token(engine, f"user{number}", "bench")[1] for number in range(STREAMS)]
    engine.dispose()
    return owners, tokens


def _told(
    system: System, streams: Streams, owners: Sequence[int], name: str, *, pause_seconds: float
) -> dict[str, float]:
    """Submit one task for each user, and wait until each has heard of its end."""
    requests = [TaskRequest(name="noop", owner=owner) for owner in owners]
    if pause_seconds:
        for request in requests:
            system.producer.submit_many([request])
            time.sleep(pause_seconds)
    else:
        system.producer.submit_many(requests)
    wanted = {str(request.task_id) for request in requests}
    eventually(lambda: wanted <= streams.delays_ms.keys(), seconds=120)
    delays = sorted(streams.delays_ms[task_id] for task_id in wanted)
    percentiles = statistics.quantiles(delays, n=100)
    return {
        f"{name}_ms_p50": round(percentiles[49]),
        f"{name}_ms_p99": round(percentiles[98]),
        f"{name}_ms_max": round(delays[-1]),
    }


def _cpu_percent(web: Part, load: Load, seconds: float) -> tuple[float, float]:
    process = psutil.Process(web.pid)
    process.cpu_percent()
    submitted = load.submitted
    time.sleep(seconds)
    return process.cpu_percent(), round((load.submitted - submitted) / seconds)


def _drained(system: System) -> None:
    """Wait until nothing runs any more: what waits would be measured along."""
    query = text("SELECT count(*) FROM crm7.batchtask WHERE state < 4")
    with system.engine.connect() as connection:
        eventually(lambda: not connection.execute(query).scalar_one(), seconds=120)


def _rss_mb(web: Part) -> float:
    return round(psutil.Process(web.pid).memory_info().rss / 1e6)


def main() -> int:
    """Measure, print one table, and write `benchmarks/live.json`."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with (
        provide(FOLDER, os.environ, announce=print) as services,
        migrated_database(services.database_url) as database_url,
    ):
        sys.path.insert(0, str(ROOT / "tests" / "plugins"))  # the producer checks against the same tasks
        with running_system(services.amqp_url, database_url, FOLDER) as system:
            found = measure(system, database_url)
        described = about(database_url, "make bench-web")
    for key, (what, unit, most) in MARKS.items():
        print(f"{what:<75} {found[key]:>9,.6g} {unit}" + (f"   (≤ {most:,.0f})" if most else ""))  # noqa: T201
    print_about(Console(highlight=False), described)
    LATEST.write_text(json.dumps({**found, "about": described}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
