"""Workers die around a message until the broker gives it up: the task it names is not lost for that."""

from __future__ import annotations

import pika
from pika.adapters.blocking_connection import BlockingChannel

from batchtask.events import AttemptStarted, TaskDeferred, TaskReleased, TaskSubmitted, TaskSucceeded
from batchtask.topology import DELIVERY_LIMIT, TASKS_QUEUE
from projections.decisions import RESCUE
from tests.system import System


def test_a_task_that_no_worker_began_is_published_again(system: System) -> None:
    system.projections().wait_ready()
    task_id = system.producer.submit("noop")
    with pika.BlockingConnection(pika.URLParameters(system.amqp_url)) as connection:
        for _ in range(DELIVERY_LIMIT + 1):
            system.wait(lambda: taken(connection.channel()))
        system.wait(lambda: system.dead_letters(task_id=task_id))
    system.worker()

    assert system.wait_finished(task_id)["startcount"] == 1
    history = system.history(task_id)
    assert [type(event) for event in history] == [
        TaskSubmitted,
        TaskDeferred,
        TaskReleased,
        AttemptStarted,
        TaskSucceeded,
    ]
    assert isinstance(history[1], TaskDeferred)
    assert history[1].reason == RESCUE


def taken(channel: BlockingChannel) -> bool:
    """Take a message and go away with it, as a process that dies."""
    method, _, _ = channel.basic_get(TASKS_QUEUE.name)
    channel.close()
    return method is not None
