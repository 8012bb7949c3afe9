"""The broker comes back with an empty disk: every open task goes on from the store, and none runs twice for it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pika
import pytest

from batchtask.events import TaskReleased
from batchtask.identifiers import TaskId, new_task_id
from batchtask.local import RabbitMQ, ServicesUnavailable, provide
from batchtask.topology import TASKS_QUEUE
from producer.submission import TaskRequest
from tests.outcome import assert_all_succeeded, assert_each_ran_once
from tests.system import Part, System, running_system

#: Short, so that what is silent is soon taken to be dead.
QUICK: dict[str, object] = {"heartbeat_seconds": 0.5, "lease_seconds": 3, "reconcile_seconds": 1}
WORKERS, SLOTS = 2, 4
TASKS, LATER = 1000, 100
#: From the wipe until tasks go on that were to start later: while the others are still being put right.
LATER_SECONDS = 15


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMQ]:
    with tempfile.TemporaryDirectory(prefix="batchtask-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        try:
            environ = {"PATH": "/usr/bin:/bin"}
            with provide(Path(directory), environ, announce=print, need_database=False) as services:
                if services.broker is None:
                    pytest.skip("a broker in a container is not ours to wipe")
                yield services.broker
        except ServicesUnavailable as missing:
            pytest.skip(str(missing))


@pytest.fixture
def fragile(broker: RabbitMQ, database_url: str, tmp_path: Path) -> Iterator[System]:
    with running_system(broker.amqp_url, database_url, tmp_path) as system:
        yield system


def wipe(broker: RabbitMQ) -> None:
    """End the broker as a crash would, and start it again on an empty disk."""
    broker.kill()
    shutil.rmtree(broker.directory / "data")
    broker.start()


def test_a_thousand_open_tasks_finish_and_none_runs_twice(fragile: System, broker: RabbitMQ) -> None:
    start_all(fragile, WORKERS)
    held = fragile.submit_many_traced("gate", WORKERS * SLOTS // 2)
    leased = fragile.submit_many_traced("gate-leased", WORKERS * SLOTS // 2)
    for task_id in (*held, *leased):
        fragile.wait_started(task_id)
    later = submit_later(fragile)
    queued = fragile.submit_many_traced("append", TASKS - len(held) - len(leased) - len(later))
    everything = [*held, *leased, *later, *queued]
    # What was accepted and never reached a disk but the broker's is gone with it: nobody else has it.
    fragile.wait(lambda: len(fragile.states()) == TASKS)

    wipe(broker)
    fragile.open_gates(*held, *leased)

    fragile.wait_all_finished(everything, seconds=150)
    assert_all_succeeded(fragile, everything)
    assert_each_ran_once(fragile, [*later, *queued])
    for task_id in (*held, *leased):
        assert [(event.fence, event.held) for event in fragile.attempts(task_id)] == [(1, task_id in held)]


@pytest.mark.slow
def test_what_ran_on_a_worker_that_died_with_the_broker_begins_anew(fragile: System, broker: RabbitMQ) -> None:
    doomed, *_ = start_all(fragile, 1)
    held, leased = fragile.submit_traced("gate"), fragile.submit_traced("gate-leased")
    for task_id in (held, leased):
        fragile.wait_started(task_id)

    broker.kill()
    doomed.kill()
    wipe(broker)
    fragile.worker(max_tasks=SLOTS, **QUICK)

    for task_id in (held, leased):
        fragile.wait_started(task_id, attempts=2)
    fragile.open_gates(held, leased)
    fragile.wait_finished(held, leased)
    assert_all_succeeded(fragile, [held, leased])
    for task_id in (held, leased):
        assert [event.fence for event in fragile.attempts(task_id)] == [1, 2]


@pytest.mark.slow
def test_a_queue_that_somebody_deleted_comes_back_and_its_tasks_with_it(system: System) -> None:
    system.projections(**QUICK).wait_ready()
    task_id = system.producer.submit("noop")
    system.wait(lambda: system.row(task_id))
    with pika.BlockingConnection(pika.URLParameters(system.amqp_url)) as connection:
        connection.channel().queue_delete(TASKS_QUEUE.name)

    # The producer is not asked: whoever looks for lost messages misses the queue.
    system.wait(lambda: TaskReleased() in system.history(task_id))
    system.worker(max_tasks=SLOTS, **QUICK)

    assert system.wait_finished(task_id)["startcount"] == 1


def start_all(system: System, workers: int) -> list[Part]:
    parts = [system.worker(max_tasks=SLOTS, **QUICK) for _ in range(workers)]
    parts += [system.projections(**QUICK) for _ in range(2)]
    for part in parts:
        part.wait_ready()
    return parts


def submit_later(system: System) -> list[TaskId]:
    start_at = datetime.now(UTC) + timedelta(seconds=LATER_SECONDS)
    ids = [new_task_id() for _ in range(LATER)]
    return system.producer.submit_many(
        TaskRequest(
            name="append", parameters={"path": str(system.trace(task_id))}, task_id=task_id, start_at=start_at
        )
        for task_id in ids
    )
