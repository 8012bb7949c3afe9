"""What is declared on every broker is a promise to the brokers that run already: a change breaks their upgrade."""

from __future__ import annotations

from batchtask.topology import (
    CANCEL_KEY,
    COMMANDS,
    DEAD,
    DEAD_QUEUE,
    EVENTS,
    EVENTS_KEY,
    LATER_KEY,
    PROJECTIONS_QUEUE,
    RELEASE_KEY,
    SUBMIT_KEY,
    TASKS_QUEUE,
    TOPOLOGY,
    Binding,
    Queue,
)


def queues_bound_to(exchange: str, routing_key: str) -> list[Queue]:
    return [queue for queue in TOPOLOGY.queues if Binding(exchange, routing_key) in queue.bindings]


def test_every_queue_is_a_quorum_queue_with_a_delivery_limit_of_its_own() -> None:
    for queue in TOPOLOGY.queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        assert isinstance(queue.arguments["x-delivery-limit"], int)


def test_every_binding_is_to_an_exchange_that_is_declared() -> None:
    declared = {exchange.name for exchange in TOPOLOGY.exchanges}
    assert {binding.exchange for queue in TOPOLOGY.queues for binding in queue.bindings} <= declared


def test_a_submission_reaches_the_work_queue_and_the_projections_queue() -> None:
    assert queues_bound_to(COMMANDS.name, SUBMIT_KEY) == [TASKS_QUEUE, PROJECTIONS_QUEUE]


def test_a_task_that_waits_is_recorded_first_and_reaches_the_work_queue_when_it_is_released() -> None:
    assert queues_bound_to(COMMANDS.name, LATER_KEY) == [PROJECTIONS_QUEUE]
    assert queues_bound_to(COMMANDS.name, RELEASE_KEY) == [TASKS_QUEUE]


def test_wishes_to_cancel_and_events_reach_the_projections_queue_alone() -> None:
    assert queues_bound_to(COMMANDS.name, CANCEL_KEY) == [PROJECTIONS_QUEUE]
    assert queues_bound_to(EVENTS.name, EVENTS_KEY) == [PROJECTIONS_QUEUE]


def test_a_command_that_is_given_back_too_often_is_dead_lettered_at_least_once() -> None:
    assert TASKS_QUEUE.arguments["x-dead-letter-exchange"] == DEAD.name
    assert TASKS_QUEUE.arguments["x-dead-letter-strategy"] == "at-least-once"
    assert TASKS_QUEUE.arguments["x-overflow"] == "reject-publish"
    assert queues_bound_to(DEAD.name, "") == [DEAD_QUEUE]
    assert DEAD.type == "fanout"


def test_the_declarations_are_those_of_the_first_release() -> None:
    quorum = {"x-queue-type": "quorum"}
    assert {exchange.name: exchange.type for exchange in TOPOLOGY.exchanges} == {
        "batchtask.commands": "topic",
        "batchtask.events": "topic",
        "batchtask.dead": "fanout",
        "batchtask.control": "fanout",
    }
    assert {queue.name: dict(queue.arguments) for queue in TOPOLOGY.queues} == {
        "batchtask.tasks": quorum
        | {
            "x-delivery-limit": 20,
            "x-dead-letter-exchange": "batchtask.dead",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
        "batchtask.projections": quorum | {"x-delivery-limit": 1_000_000},
        "batchtask.dead": quorum | {"x-delivery-limit": 1_000_000},
    }
