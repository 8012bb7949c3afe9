"""Tasks without a limit fill a worker for days: what is short must not wait behind them."""

from __future__ import annotations

from collections.abc import Collection

import pika

from batchtask.identifiers import TaskId
from batchtask.topology import TASKS_QUEUE
from producer.task_request import TaskRequest
from projections.rows import State
from tests.outcome import assert_all_succeeded
from tests.system import System


def test_what_waits_in_a_worker_full_of_leased_tasks_goes_to_another_one(system: System) -> None:
    system.worker(max_tasks=2)
    system.projections()
    # Short tasks make the worker take more than it can begin at once.
    short = system.producer.submit_many([TaskRequest(name="noop") for _ in range(2000)])
    long = system.submit_many_traced("gate-leased", 2)
    behind = system.producer.submit_many([TaskRequest(name="noop") for _ in range(300)])
    for task_id in long:
        system.wait_started(task_id)

    system.wait(lambda: ready_messages(system) == unfinished(system, behind))
    system.worker(max_tasks=2)

    system.wait_all_finished([*short, *behind], seconds=30)
    system.open_gates(*long)
    system.wait_all_finished(long, seconds=30)
    assert_all_succeeded(system, [*short, *long, *behind])


def ready_messages(system: System) -> int:
    """How many messages no worker has in hand."""
    with pika.BlockingConnection(pika.URLParameters(system.amqp_url)) as connection:
        answer = connection.channel().queue_declare(TASKS_QUEUE.name, passive=True)
        return int(answer.method.message_count)


def unfinished(system: System, ids: Collection[TaskId]) -> int:
    states = system.states()
    return sum(states.get(task_id) is not State.Succeeded for task_id in ids)
