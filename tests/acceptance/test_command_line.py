"""What somebody types: submissions for later and under a key, wishes to cancel."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from batchtask.cli.exits import Exit
from batchtask.events import CancelRequested, TaskCancelled
from batchtask.identifiers import TaskId, new_task_id
from projections.rows import State
from tests.system import ROOT, System, untimed

MAIN = "from batchtask.cli import main; main()"


def batchtask(system: System, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line on a system's servers."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("BATCHTASK_")}
    environ |= {
        "BATCHTASK_AMQP_URL": system.amqp_url,
        "BATCHTASK_DATABASE_URL": system.engine.url.render_as_string(hide_password=False),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "plugins")]),
        "COLUMNS": "200",
    }
    command = [sys.executable, "-P", "-c", MAIN, *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def submitted(system: System, *words: str) -> TaskId:
    run = batchtask(system, "submit", *words)
    assert run.returncode == Exit.OK, run.stderr
    task_id = TaskId(UUID(run.stdout.strip()))
    system.wait(lambda: system.row(task_id))
    return task_id


@pytest.mark.parametrize("words", [("--delay", "3600"), ("--start-at", "TOMORROW")])
def test_a_task_for_later_waits_until_it_is_cancelled(words: tuple[str, str], running: System) -> None:
    option, when = words
    if when == "TOMORROW":
        when = (datetime.now() + timedelta(days=1)).isoformat(timespec="minutes")
    task_id = submitted(running, "noop", option, when)
    row = running.row(task_id)
    assert row is not None
    assert (row["state"], row["startcount"]) == (State.New, 0)
    assert row["due_at"] - row["registered"] > timedelta(minutes=59)

    assert batchtask(running, "cancel", str(task_id), "--by", "5", "--reason", "no").returncode == Exit.OK

    running.wait_finished(task_id)
    assert untimed(running.history(task_id))[1:] == [
        CancelRequested(requested_by=5, reason="no"),
        TaskCancelled(requested_by=5),
    ]


def test_a_delayed_task_runs_when_its_time_has_come(running: System) -> None:
    task_id = submitted(running, "noop", "--delay", "0.5")

    assert running.wait_finished(task_id)["state"] == State.Succeeded


def test_a_submission_that_is_typed_twice_under_a_key_is_one_task(running: System) -> None:
    words = ("noop", "--deduplication-key", "typed twice")

    assert submitted(running, *words) == submitted(running, *words)


def test_a_submission_that_is_repeated_with_its_id_is_one_task(running: System) -> None:
    words = ("noop", "--task-id", str(new_task_id()))

    assert submitted(running, *words) == submitted(running, *words) == TaskId(UUID(words[-1]))


def test_a_running_task_is_killed_by_force(running: System) -> None:
    task_id = running.submit_traced("deaf")
    running.wait_started(task_id)

    run = batchtask(running, "cancel", str(task_id), "--force")

    assert "to be killed" in run.stdout
    running.wait_finished(task_id)
    wish = next(event for event in running.history(task_id) if isinstance(event, CancelRequested))
    assert wish.force


def test_a_running_task_that_was_asked_to_stop_is_shown_as_such(running: System) -> None:
    task_id = running.submit_traced("deaf")
    running.wait_started(task_id)
    assert "stopping" not in batchtask(running, "status", str(task_id)).stdout

    assert batchtask(running, "cancel", str(task_id)).returncode == Exit.OK

    running.wait(lambda: (running.row(task_id) or {}).get("stopping"))
    assert "Started, stopping" in batchtask(running, "status", str(task_id)).stdout
    assert batchtask(running, "cancel", str(task_id), "--force").returncode == Exit.OK
    running.wait_finished(task_id)


def test_a_task_that_cannot_be_cancelled_is_told_as_such_and_goes_on(running: System) -> None:
    task_id = running.submit_traced("unstoppable")
    running.wait_started(task_id)

    run = batchtask(running, "cancel", str(task_id))

    assert run.returncode == Exit.CANNOT_RUN
    assert "--force" in run.stdout
    running.open_gates(task_id)
    assert running.wait_finished(task_id)["state"] == State.Succeeded


def test_nothing_is_asked_of_a_task_that_has_ended(running: System) -> None:
    task_id = submitted(running, "noop")
    running.wait_finished(task_id)

    run = batchtask(running, "cancel", str(task_id))

    assert (run.returncode, "has ended already" in run.stdout) == (Exit.OK, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("cancel", "5", "--by", "99999999999"), "2147483647"),
        (("submit", "noop", "--owner", "99999999999"), "2147483647"),
        (("submit", "noop", "--start-at", "tomorrow"), "'tomorrow' is no time"),
        (("submit", "noop", "--start-at", "2099-01-01", "--delay", "5"), "exclude each other"),
        (("submit", "noop", "--delay", "-5"), "--delay"),
        (("submit", "noop", "--delay", "1e300"), "is too long"),
        (("submit", "noop", "--deduplication-key", ""), "not empty"),
        (("submit", "noop", "--deduplication-key", "x", "--count", "2"), "leave out --count"),
        (("submit", "noop", "--task-id", "4711"), "give a UUID"),
        (("submit", "noop", "--task-id", str(UUID(int=1)), "--count", "2"), "leave out --count"),
        (("dead", "list", "--since", "999999d"), "'999999d' is no time"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(words: tuple[str, ...], says: str, running: System) -> None:
    run = batchtask(running, *words)

    assert run.returncode == Exit.CANNOT_RUN
    assert says in run.stderr
    assert "Traceback" not in run.stderr


def test_the_whole_reason_of_a_failure_stands_below_the_bar(running: System) -> None:
    reason = "The printer is on fire: " + "call the fire brigade, then the administrator. " * 4
    done = batchtask(running, "submit", "sleep", "seconds=0", f"fail={reason.strip()}", "--wait")
    assert reason.strip() in done.stderr
