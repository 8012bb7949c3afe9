"""Servers whose clocks are wrong, and are set meanwhile: leases, retries and rows go by the database's clock."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from batchtask.tables import event
from producer.submission import TaskRequest
from tests.outcome import assert_all_succeeded
from tests.system import System
from tests.tally import STEPS, make_tally, tallied

HOURS = 3600
QUICK = {"heartbeat_seconds": 0.5, "lease_seconds": 60, "reconcile_seconds": 0.5}


class MovableClock:
    """A clock for processes of their own, by libfaketime; their monotonic clock stays as it is."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead_seconds: int) -> None:
        """Set the clock of all processes that use it, now."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{ahead_seconds:+d}")
        fresh.rename(self._file)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The library, out of the distribution's package; it is not installed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("clocks cannot be moved here: libfaketime is taken from a Debian package")
    folder = tmp_path_factory.mktemp("libfaketime")
    download = ["apt-get", "download", "libfaketime"]
    fetched = subprocess.run(download, cwd=folder, capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"clocks cannot be moved here: libfaketime cannot be fetched ({fetched.stderr.strip()})")
    [package] = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    [found] = folder.rglob("libfaketimeMT.so.1")
    return found


def test_clocks_that_are_wrong_and_are_set_change_nothing(system: System, library: Path, tmp_path: Path) -> None:
    make_tally(system)
    fast, slow = (MovableClock(library, tmp_path / name) for name in ("fast", "slow"))
    fast.set(2 * HOURS)
    slow.set(-2 * HOURS)
    for clock in (fast, slow):
        system.start("worker", QUICK, environ=clock.environ).wait_ready()
        system.start("projections", QUICK, environ=clock.environ).wait_ready()
    requests = [
        TaskRequest(name=name, parameters={"steps": STEPS, "seconds": 0.4, "fail_attempts": 1})
        for name in ("tally", "tally-leased") * 10
    ]

    ids = system.producer.submit_many(requests)
    system.wait(lambda: len(tallied(system)) >= len(ids) // 2)
    fast.set(-5 * HOURS)
    slow.set(5 * HOURS)

    system.wait_all_finished(ids, seconds=40)
    assert_all_succeeded(system, ids)
    assert tallied(system) == sorted((task_id, step) for task_id in ids for step in range(STEPS))
    assert [len(system.attempts(task_id)) for task_id in ids] == [2] * len(ids)
    assert largest_difference_of_clocks(system) < 5


def largest_difference_of_clocks(system: System) -> float:
    """Seconds between what a recorder took for the time and what the database did, in any event but the first."""
    query = select(event.c.occurred_at, event.c.recorded_at).where(event.c.version > 0)
    with system.engine.connect() as connection:
        return max(abs((row.recorded_at - row.occurred_at).total_seconds()) for row in connection.execute(query))
