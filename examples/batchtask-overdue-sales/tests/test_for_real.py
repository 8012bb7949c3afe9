"""The task as its users run it: submitted through the broker, run by a worker that found it installed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from world import UNTIL, AddSale

from batchtask.local import Services
from batchtask.settings import Settings
from producer.blocking import Producer

ROW = text("SELECT response, filename FROM crm7.batchtask WHERE task_id = :id AND state IN (4, 5)")


@pytest.fixture
def running(services: Services, tmp_path: Path) -> Iterator[None]:
    """A worker and a projections process."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATCHTASK_")}
    environ |= {
        "BATCHTASK_AMQP_URL": services.amqp_url,
        "BATCHTASK_DATABASE_URL": services.database_url,
        "BATCHTASK_FILES_DIR": str(tmp_path),
    }
    with ExitStack() as stack:
        for part in ("worker", "projections"):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-P", "-m", part], env=environ))
            stack.callback(process.terminate)
        yield


def test_a_worker_finds_the_task_and_runs_it(
    running: None, services: Services, engine: Engine, add_sale: AddSale, booked: Callable[[], list[int]]
) -> None:
    number = add_sale()
    with Producer(Settings(amqp_url=services.amqp_url)) as producer:
        task_id = producer.submit("overdue-sales", {"until": str(UNTIL)}, owner=7)

    row = finished(engine, task_id)

    assert row["response"] == "1 follow-ups were booked, 0 sales have one already."
    assert Path(row["filename"]).read_text("utf-8-sig").count("\n") == 2
    assert booked() == [number]


def finished(engine: Engine, task_id: object) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            row = connection.execute(ROW, {"id": task_id}).mappings().one_or_none()
        if row is not None:
            return row
        time.sleep(0.1)
    pytest.fail("the task did not end within a minute")
