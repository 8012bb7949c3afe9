from __future__ import annotations

from pathlib import Path

import pytest

from batchtask.definitions import CancelledByRequest, TaskFailure
from batchtask.outcomes import Succeeded
from batchtask.testing import FakeContext
from worker.tasks.sleep import Sleep, sleep


def context(folder: Path, cancel_after: int | None = None) -> FakeContext:
    return FakeContext(database_url="", folder=folder, cancel_after=cancel_after)


def test_sleep_tells_each_step(tmp_path: Path) -> None:
    found = context(tmp_path)
    assert sleep.function(found, Sleep(seconds=0, steps=2)) == Succeeded(response="slept 0 seconds")
    assert found.reports == [(0.0, "Step 1 of 2"), (50.0, "Step 2 of 2")]


def test_sleep_fails_when_told_to(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match="out of coffee"):
        sleep.function(context(tmp_path), Sleep(seconds=0, fail="out of coffee"))


def test_sleep_stops_between_two_steps(tmp_path: Path) -> None:
    found = context(tmp_path, cancel_after=3)
    with pytest.raises(CancelledByRequest):
        sleep.function(found, Sleep(seconds=0, steps=10))
    assert len(found.reports) == 3
