"""Schedules: each tick makes one task, runs never overlap, an outage makes no flood; and the commands about them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from batchtask import signal_points
from batchtask.errors import InvalidSchedule, ScheduleExists, ScheduleNotFound
from batchtask.events import TaskSubmitted, TaskSucceeded
from batchtask.identifiers import TaskId
from batchtask.store import Append, EventStore
from batchtask.tables import batchtask
from batchtask.tables import schedule as table
from projections.projector import Projector
from projections.rows import State
from projections.schedules import Schedule, Schedules
from projections.ticks import PAGE, Ticks
from tests.desks import BEGAN, command

MINUTE = timedelta(minutes=1)
MAIN = "from batchtask.cli import main; main()"


class Clockwork:
    """Schedules and their ticks on one database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = EventStore(engine)
        self.schedules = Schedules(engine)

    def ticks(self) -> Ticks:
        return Ticks(self.engine, Projector(self.engine))

    def tick_due(self) -> int:
        return self.ticks().tick_due()

    def turn_back(self, ago: timedelta = MINUTE) -> datetime:
        """Make a time, so long ago, the next tick of all schedules, as if nobody had looked since."""
        with self.engine.begin() as connection:
            next_at: datetime = connection.execute(select(func.date_trunc("minute", func.now()))).scalar_one() - ago
            connection.execute(update(table).values(next_at=next_at))
        return next_at

    def only(self) -> Schedule:
        [found] = self.schedules.all()
        return found

    def submitted(self, schedule: str) -> list[TaskSubmitted]:
        """What a schedule has submitted so far."""
        with self.engine.connect() as connection:
            task_ids = connection.execute(select(batchtask.c.task_id)).scalars().all()
        streams = self.store.load_many(dict.fromkeys(map(TaskId, task_ids), -1)).values()
        bodies = [events[0].body for events in streams]
        return [body for body in bodies if isinstance(body, TaskSubmitted) and body.schedule == schedule]

    def finish(self, schedule: Schedule) -> None:
        assert schedule.last_task_id is not None
        task_id = TaskId(schedule.last_task_id)
        append = Append(task_id, self.store.state(task_id).version, [TaskSucceeded(fence=1)], BEGAN)
        Projector(self.engine).project(self.store.append(append))


@pytest.fixture
def clockwork(engine: Engine) -> Clockwork:
    with engine.begin() as connection:
        connection.execute(table.delete())
    return Clockwork(engine)


@pytest.fixture
def schedules(clockwork: Clockwork) -> Schedules:
    return clockwork.schedules


def test_a_tick_records_a_task_that_is_due_and_moves_the_schedule_on(clockwork: Clockwork) -> None:
    wanted = command(parameters={"number": 7}, owner=5, description="Count", database_tag="crm", cancellation=2)
    clockwork.schedules.add("count", "@yearly", "UTC", wanted)
    tick = clockwork.turn_back()

    assert clockwork.tick_due() == 1

    found = clockwork.only()
    assert found.last_at == tick
    assert found.next_at > datetime.now(UTC)
    assert (found.last_state, found.note) == (State.New, "")
    [first] = clockwork.submitted("count")
    assert (first.schedule, first.start_at, first.parameters) == ("count", tick, {"number": 7})
    assert (first.owner, first.description, first.database_tag, first.cancellation) == (5, "Count", "crm", 2)
    with clockwork.engine.connect() as connection:
        due_at = connection.execute(
            select(batchtask.c.due_at).where(batchtask.c.task_id == found.last_task_id)
        ).scalar()
    assert due_at == tick


def test_nothing_happens_before_the_tick(clockwork: Clockwork) -> None:
    clockwork.schedules.add("yearly", "@yearly", "UTC", command())

    assert clockwork.tick_due() == 0
    assert clockwork.only().last_task_id is None


def test_all_ticks_that_an_outage_missed_make_one_task(clockwork: Clockwork) -> None:
    clockwork.schedules.add("outage", "@yearly", "UTC", command())
    clockwork.turn_back(timedelta(hours=8))

    assert [clockwork.tick_due(), clockwork.tick_due()] == [1, 0]

    assert len(clockwork.submitted("outage")) == 1
    assert clockwork.only().next_at > datetime.now(UTC)


def test_a_tick_is_skipped_and_noted_while_the_task_of_the_one_before_is_open(clockwork: Clockwork) -> None:
    clockwork.schedules.add("long", "@yearly", "UTC", command())
    first = clockwork.turn_back(2 * MINUTE)
    clockwork.tick_due()
    skipped = clockwork.turn_back()

    assert clockwork.tick_due() == 0

    found = clockwork.only()
    assert (found.last_at, found.noted_at) == (first, skipped)
    assert found.note == "Skipped: the task before has not ended."
    assert found.next_at > skipped

    clockwork.finish(found)
    clockwork.turn_back()
    assert clockwork.tick_due() == 1
    assert (clockwork.only().note, clockwork.only().noted_at) == ("", None)
    assert len(clockwork.submitted("long")) == 2


def test_four_schedulers_at_once_make_one_task_at_each_tick(clockwork: Clockwork) -> None:
    names = [f"at-once-{number}" for number in range(PAGE + 20)]
    for name in names:
        clockwork.schedules.add(name, "@yearly", "UTC", command(description=name))
    clockwork.turn_back()
    barrier = threading.Barrier(4, timeout=20)
    made: list[int] = []

    def tick() -> None:
        one = clockwork.ticks()
        barrier.wait()
        made.append(one.tick_due())

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.append(clockwork.tick_due())

    assert sum(made) == len(names)
    assert len({one.last_task_id for one in clockwork.schedules.all()}) == len(names)


def test_a_scheduler_that_dies_in_a_tick_leaves_it_to_the_next_one(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    clockwork.schedules.add("dies", "@yearly", "UTC", command())
    tick = clockwork.turn_back()

    def die(point: str) -> None:
        raise KeyboardInterrupt(point)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt, match=r"scheduler\.ticked"):
        patched.setattr(signal_points, "reached", die)
        clockwork.tick_due()

    assert clockwork.submitted("dies") == []
    assert clockwork.only().next_at == tick
    assert clockwork.tick_due() == 1


@pytest.mark.parametrize(
    ("column", "value", "note"),
    [
        ("cron", "every day", "Paused: cron expression 'every day' cannot be read"),
        ("time_zone", "Oslo", "Paused: time zone 'Oslo' is not known here"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_paused_with_a_note_and_holds_no_other_up(
    column: str, value: str, note: str, clockwork: Clockwork
) -> None:
    clockwork.schedules.add("broken", "@yearly", "UTC", command())
    clockwork.schedules.add("well", "@yearly", "UTC", command())
    with clockwork.engine.begin() as connection:
        connection.execute(update(table).where(table.c.name == "broken").values({column: value}))
    clockwork.turn_back()

    assert clockwork.tick_due() == 1

    broken, well = clockwork.schedules.all()
    assert broken.paused
    assert broken.note.startswith(note)
    assert well.last_task_id is not None


def test_ticks_pass_while_a_schedule_is_paused(clockwork: Clockwork) -> None:
    clockwork.schedules.add("paused", "@yearly", "UTC", command())
    clockwork.schedules.pause("paused")
    clockwork.turn_back(timedelta(hours=1))
    assert clockwork.tick_due() == 0

    next_at = clockwork.schedules.resume("paused")

    assert clockwork.tick_due() == 0
    assert clockwork.only().next_at == next_at > datetime.now(UTC)
    assert not clockwork.only().paused


def test_resuming_what_is_not_paused_changes_nothing(clockwork: Clockwork) -> None:
    next_at = clockwork.schedules.add("going", "@yearly", "UTC", command())

    assert clockwork.schedules.resume("going") == clockwork.only().next_at == next_at


def test_a_second_schedule_of_one_name_is_refused(clockwork: Clockwork) -> None:
    clockwork.schedules.add("twice", "@yearly", "UTC", command())

    with pytest.raises(ScheduleExists, match="a schedule 'twice' is there already"):
        clockwork.schedules.add("twice", "@daily", "UTC", command())
    assert clockwork.only().cron == "@yearly"


@pytest.mark.parametrize("name", ["", " ", "x" * 255, "two\nlines", "nul\0"])
def test_a_name_that_nobody_can_type_is_refused(name: str, schedules: Schedules) -> None:
    with pytest.raises(InvalidSchedule, match="a schedule's name has 1 to 254 printable characters"):
        schedules.add(name, "@daily", "UTC", command())


@pytest.mark.parametrize("act", [Schedules.remove, Schedules.pause, Schedules.resume])
def test_a_schedule_that_is_not_there_is_said_to_be_so(
    act: Callable[[Schedules, str], object], schedules: Schedules
) -> None:
    schedules.add("here", "@daily", "UTC", command())

    with pytest.raises(ScheduleNotFound, match="no schedule 'gone' is known; there are: here"):
        act(schedules, "gone")


class Shell:
    """The command line on this module's database; no broker is needed."""

    def __init__(self, engine: Engine) -> None:
        names = ("PATH", "HOME", "LANG")
        self._environ = {name: os.environ[name] for name in names if name in os.environ}
        self._environ["BATCHTASK_DATABASE_URL"] = engine.url.render_as_string(hide_password=False)
        self._environ["PYTHONPATH"] = os.pathsep.join(sys.path)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-c", MAIN, "schedule", *arguments],
            env=self._environ | {"COLUMNS": "200", "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("list", "--json").stdout)
        return found


def test_a_schedule_is_added_listed_paused_resumed_and_removed_from_the_command_line(
    schedules: Schedules, engine: Engine
) -> None:
    shell = Shell(engine)

    added = shell.run(
        *("add", "nightly", "30 2 * * *", "sleep", "seconds=5", "--time-zone", "Europe/Oslo", "--owner", "7"),
        *("--description", "Sleep at night"),
    )

    assert (added.returncode, added.stderr) == (0, "")
    assert added.stdout.startswith("Schedule nightly: first run at 20")
    [found] = shell.json()
    assert (found["task"], found["parameters"], found["owner"]) == ("sleep", {"seconds": 5}, 7)
    assert (found["cron"], found["time_zone"], found["paused"]) == ("30 2 * * *", "Europe/Oslo", False)
    assert "never" in shell.run("list").stdout
    assert shell.run("pause", "nightly").returncode == 0
    assert "paused" in shell.run("list").stdout
    assert "next run at" in shell.run("resume", "nightly").stdout
    assert shell.run("remove", "nightly").stdout == "Schedule nightly is gone.\n"
    assert shell.run("list").stdout == "No schedules.\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["add", "n", "every day", "sleep", "seconds=1"], "cron expression 'every day' cannot be read"),
        (["add", "n", "@daily", "sleep", "seconds=1", "--time-zone", "Oslo"], "time zone 'Oslo' is not known here"),
        (["add", "n", "@daily", "sleap"], "unknown task 'sleap'; installed tasks:"),
        (["add", "n", "@daily", "sleep", "seconds=x"], "parameters of task 'sleep' do not fit:"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    arguments: list[str], complaint: str, schedules: Schedules, engine: Engine
) -> None:
    result = Shell(engine).run(*arguments)

    assert result.returncode == 2
    assert result.stderr.startswith(f"batchtask: {complaint}")
    assert result.stderr.count("\n") == 1
    assert schedules.all() == []


def test_an_unknown_schedule_ends_the_command_as_not_found(schedules: Schedules, engine: Engine) -> None:
    result = Shell(engine).run("pause", "nightly")

    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr == "batchtask: no schedule 'nightly' is known; there are: none\n"
