"""Reading tasks through the web application while there are a million: a real process, four clients at once.

Run as `python -m tests.benchmarks.web_reads`; the servers are private ones unless URLs name some.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from batchtask.database import make_engine
from batchtask.http.service_tokens import issue_token
from batchtask.local import provide
from tests.access_support import add_people
from tests.benchmarks.about import about, print_about
from tests.benchmarks.databases import migrated_database
from tests.system import running_system

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "bench-reads"
LATEST = ROOT / "benchmarks" / "reads.json"
TASKS = 1_000_000
CLIENTS = 4
REQUESTS = 1000  #: of each kind
WARM_UP = 20  #: each client's first requests, which are not counted

#: One owner has a tenth of all tasks, the system a twentieth, a thousand others the rest.
_FILL = """
INSERT INTO crm7.batchtaskdefinition
SELECT n, 'definition-' || n, '', 0, 0, 0, 0, 0, '1', now(), 0, now(), 0, 0 FROM generate_series(1001, 1010) n;

CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT n,
    ('01920000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS task_id,
    CASE WHEN n % 10 = 0 THEN :busy WHEN n % 20 = 1 THEN 0 ELSE 10000 + n % 1000 END AS owner,
    CASE WHEN n % 200 = 10 THEN 1 WHEN n % 200 = 20 THEN 3 WHEN n % 12 = 0 THEN 5 ELSE 4 END AS state,
    now() - make_interval(secs => (:tasks - n) * 20) AS at
FROM generate_series(1, :tasks) n;

INSERT INTO batchtask.task_number (task_id, batchtask_id) SELECT task_id, n FROM made;

INSERT INTO batchtask.event (task_id, version, type, schema_version, occurred_at, data)
SELECT task_id, 0, 'TaskSubmitted', 1, at, jsonb_build_object(
    'name', 'definition-' || 1001 + n % 10, 'owner', owner, 'description', 'Autumn letter ' || n,
    'parameters', jsonb_build_object('selection_id', n, 'output', 'pdf')) FROM made
UNION ALL
SELECT task_id, 1, 'AttemptStarted', 1, at + interval '1 s',
    '{"attempt": 1, "fence": 1, "worker": "w", "delivery_id": "d"}' FROM made WHERE state > 1
UNION ALL
SELECT task_id, 2, CASE state WHEN 4 THEN 'TaskSucceeded' ELSE 'TaskFailed' END, 1, at + interval '9 s',
    CASE state WHEN 4 THEN '{"fence": 1, "response": "240 letters."}' ELSE '{"cause": "error", "message": "Full."}'
    END::jsonb FROM made WHERE state > 3
ORDER BY 1, 2;

INSERT INTO crm7.batchtask (
    batchtask_id, batchtaskdefinition_id, description, dbtag, state, request, response, startcount, laststarted,
    progresspercent, progressdescription, registered, registered_associate_id, updated, updated_associate_id,
    updatedcount, task_id, version)
SELECT n, 1001 + n % 10, 'Autumn letter ' || n, '', state, '', CASE state WHEN 4 THEN '240 letters.' ELSE '' END,
    1, at + interval '1 s', 100, '', at, owner, at + interval '9 s', owner, 2, task_id, least(state - 1, 2)
FROM made
"""

Request = Callable[[httpx.Client, random.Random], httpx.Response]
KINDS: dict[str, Request] = {}


def kind(what: str) -> Callable[[Request], Request]:
    def add(request: Request) -> Request:
        KINDS[what] = request
        return request

    return add


def any_number(chance: random.Random) -> int:
    """A task of the busy owner."""
    return chance.randrange(1, TASKS // 10) * 10


@kind("v1 list, newest 20")
def v1_list(client: httpx.Client, _: random.Random) -> httpx.Response:
    return client.get("/api/v1/BatchTask", params={"$top": 20})


@kind("v1 list, of a state and an owner")
def v1_filter(client: httpx.Client, chance: random.Random) -> httpx.Response:
    wanted = f"state eq {chance.choice([1, 3, 4, 5])} and associateId eq {10_000 + chance.randrange(1000)}"
    return client.get("/api/v1/BatchTask", params={"$top": 20, "$filter": wanted})


@kind("v1 list, by name and state")
def v1_name(client: httpx.Client, chance: random.Random) -> httpx.Response:
    wanted = f"name eq 'definition-{chance.randrange(1001, 1011)}' and state eq {chance.choice([4, 5])}"
    return client.get("/api/v1/BatchTask", params={"$top": 20, "$filter": wanted})


@kind("v1 detail")
def v1_detail(client: httpx.Client, chance: random.Random) -> httpx.Response:
    return client.get(f"/api/v1/BatchTask/{any_number(chance)}")


@kind("v1 by state, 1000 tasks")
def v1_state(client: httpx.Client, _: random.Random) -> httpx.Response:
    return client.get("/api/v1/BatchTask/Failed")


@kind("v2 list, my newest 20")
def v2_list(client: httpx.Client, _: random.Random) -> httpx.Response:
    return client.get("/api/v2/tasks")


@kind("v2 list, my failed 20")
def v2_failed(client: httpx.Client, _: random.Random) -> httpx.Response:
    return client.get("/api/v2/tasks", params={"state": "failed"})


@kind("v2 detail")
def v2_detail(client: httpx.Client, chance: random.Random) -> httpx.Response:
    return client.get(f"/api/v2/tasks/{any_number(chance)}")


def measure(amqp_url: str, database_url: str) -> dict[str, tuple[float, float]]:
    """Fill a migrated database, and return p50 and p99 in milliseconds of each kind of request."""
    fill(database_url)
    engine = make_engine(database_url)
    tokens = {name: issue_token(engine, name, "benchmark")[1] for name in ("bob", "Ann")}
    engine.dispose()
    with (
        tempfile.TemporaryDirectory(prefix="batchtask-") as folder,
        running_system(amqp_url, database_url, Path(folder)) as system,
    ):
        part = system.web()
        part.wait_ready()
        return {
            what: _percentiles(part.url, tokens["bob" if what.startswith("v2") else "Ann"], request)
            for what, request in KINDS.items()
        }


def fill(database_url: str) -> None:
    """Write people and tasks into a migrated database."""
    add_people(database_url)
    engine = make_engine(database_url, idle_seconds=None)
    with engine.begin() as connection:
        busy = connection.execute(text("SELECT associate_id FROM crm7.associate WHERE name = 'bob'")).scalar_one()
        for statement in _FILL.split(";\n"):
            connection.execute(text(statement), {"tasks": TASKS, "busy": busy})
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _percentiles(url: str, token: str, request: Request) -> tuple[float, float]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        taken = sorted(
            ms for each in pool.map(lambda seed: _times(url, token, request, seed), range(CLIENTS)) for ms in each
        )
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]


def _times(url: str, token: str, request: Request, seed: int) -> list[float]:
    chance, taken = random.Random(seed), []
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        for _ in range(WARM_UP + REQUESTS // CLIENTS):
            begun = time.perf_counter()
            request(client, chance).raise_for_status()
            taken.append((time.perf_counter() - begun) * 1000)
    return taken[WARM_UP:]


def main() -> int:
    """Measure, print one table, and write `benchmarks/reads.json`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with provide(FOLDER, os.environ, announce=print) as services, migrated_database(services.database_url) as url:
        measured = measure(services.amqp_url, url)
        described = about(url, "make bench-web")
    console = Console(highlight=False)
    title = f"Reads over the web, {TASKS:,} tasks, {CLIENTS} clients at once"
    table = Table("What", "p50 ms", "p99 ms", title=title, box=None)
    for what, (p50, p99) in measured.items():
        table.add_row(what, f"{p50:.1f}", f"{p99:.1f}")
    console.print(table)
    print_about(console, described)
    found = {what: {"p50_ms": round(p50, 1), "p99_ms": round(p99, 1)} for what, (p50, p99) in measured.items()}
    LATEST.write_text(json.dumps({**found, "about": described}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
