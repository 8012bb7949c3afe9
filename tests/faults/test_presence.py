"""Workers tell of themselves beside their work: a database that is away, or slow for that one row, delays no task."""

from __future__ import annotations

import signal

from sqlalchemy import Connection, delete, select, text

from batchtask.pausing import Pausing
from batchtask.tables_workers import worker
from tests.outcome import assert_each_ran_once
from tests.system import Part, System

HEARD_SECONDS = 8


def seconds_unheard(system: System) -> float:
    query = text(
        "SELECT extract(epoch FROM clock_timestamp() - max(seen_at))::double precision FROM batchtask.worker"
    )
    with system.engine.connect() as connection:
        return float(connection.execute(query).scalar_one())


def workers(connection: Connection) -> list[str]:
    return list(connection.execute(select(worker.c.id)).scalars())


def is_there(system: System, part: Part) -> bool:
    with system.engine.connect() as connection:
        return any(f"/{part.pid}/" in name for name in workers(connection))


def test_a_worker_that_cannot_write_its_row_runs_tasks_as_ever(system: System) -> None:
    part = system.worker()
    system.projections()
    part.wait_ready()
    with system.engine.begin() as connection:
        connection.execute(text("LOCK TABLE batchtask.worker IN ACCESS EXCLUSIVE MODE"))
        waits = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        system.wait(lambda: connection.execute(waits).scalar_one(), seconds=HEARD_SECONDS)
        task_ids = system.submit_many_traced("append", 20)
        # Keeps the transaction from being ended for its silence, too.
        system.wait(
            lambda: connection.execute(waits).scalar_one() and len(system.states()) == 20, seconds=HEARD_SECONDS
        )
        system.wait_all_finished(task_ids, seconds=10)

    assert_each_ran_once(system, task_ids)
    system.wait(lambda: seconds_unheard(system) < 3, seconds=HEARD_SECONDS)


def test_a_row_that_somebody_wiped_comes_back(system: System) -> None:
    part = system.worker()
    part.wait_ready()
    with system.engine.begin() as connection:
        connection.execute(delete(worker))

    system.wait(lambda: is_there(system, part), seconds=HEARD_SECONDS)


def test_a_table_that_is_gone_for_a_while_is_survived(system: System) -> None:
    """As while a backup is being restored."""
    part = system.worker()
    system.projections()
    part.wait_ready()
    with system.engine.begin() as connection:
        connection.execute(text("ALTER TABLE batchtask.pause RENAME TO pause_away"))
    system.wait(lambda: seconds_unheard(system) > 7, seconds=20)
    [task_id] = system.submit_many_traced("append", 1)
    system.wait_finished(task_id)
    with system.engine.begin() as connection:
        connection.execute(text("ALTER TABLE batchtask.pause_away RENAME TO pause"))

    system.wait(lambda: seconds_unheard(system) < 3, seconds=HEARD_SECONDS)


def test_a_frozen_worker_is_heard_of_again_and_hears_of_a_pause_when_it_goes_on(system: System) -> None:
    part = system.worker()
    part.wait_ready()
    part.send_signals(signal.SIGSTOP)
    Pausing(system.engine).pause("test", "while it could not hear")
    system.wait(lambda: seconds_unheard(system) > 7, seconds=20)

    part.send_signals(signal.SIGCONT)

    system.wait(lambda: "worker paused" in part.output, seconds=HEARD_SECONDS)
    assert seconds_unheard(system) < HEARD_SECONDS


def test_a_worker_that_drains_says_so_and_takes_its_row_and_its_pause_with_it(system: System) -> None:
    part = system.worker(drain_seconds=30)
    system.projections()
    part.wait_ready()
    [task_id] = system.submit_many_traced("gate", 1)
    system.wait_started(task_id)
    with system.engine.connect() as connection:
        [name] = workers(connection)
    Pausing(system.engine).pause("test", "", name)

    part.terminate()
    draining = select(worker.c.draining, worker.c.running)

    def says_so() -> bool:
        with system.engine.connect() as connection:
            return connection.execute(draining).one() == (True, 1)

    system.wait(says_so, seconds=3)  # at once, and not with the next sign of life
    system.open_gates(task_id)
    assert part.exit_code() == 0
    assert not is_there(system, part)
    with system.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM batchtask.pause")).scalar_one() == 0
