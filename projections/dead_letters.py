"""Keeping what was set aside: every dead letter is a row, and something follows for the task it names. Synchronous.

A message that nobody can ever carry out ends its task. One that was only given back too often does not: its task
waits and is published again, some times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql import insert

from batchtask import envelope
from batchtask.broker import Delivery
from batchtask.broker.dead_letters import given_back_too_often, reason_and_queue
from batchtask.database import database_errors
from batchtask.errors import MessageError
from batchtask.events import RecordedEvent
from batchtask.identifiers import TaskId, uuid7
from batchtask.messages import CancelTask
from batchtask.tables import dead_letter
from projections.decisions import Decisions

#: AMQP's own limit. A publisher may claim any name, and an index entry has to fit a page.
LONGEST_QUEUE_NAME = 255


class DeadLetters:
    """Records dead letters, so that settling them loses nothing."""

    def __init__(self, engine: Engine, decisions: Decisions) -> None:
        self._engine = engine
        self._decisions = decisions

    def record(self, deliveries: Sequence[Delivery]) -> list[RecordedEvent]:
        """Keep the letters and return the news about their tasks. Recording again changes nothing.

        Raises:
            StoreUnavailable: Record again.
        """
        rows = [self._row(delivery) for delivery in deliveries]
        with database_errors(), self._engine.begin() as connection:
            connection.execute(insert(dead_letter).on_conflict_do_nothing(), rows)
        news: list[RecordedEvent] = []
        for row, delivery in zip(rows, deliveries, strict=True):
            # A wish that cannot be read, as of a newer release, says nothing against the task that it names.
            if row["task_id"] is not None and delivery.type != CancelTask.__name__:
                follows = self._decisions.rescue if given_back_too_often(delivery) else self._decisions.reject
                news += follows(TaskId(row["task_id"]), row["reason"], delivery)
        return news

    def _row(self, delivery: Delivery) -> dict[str, Any]:
        reason, queue = reason_and_queue(delivery)
        return {
            "message_id": delivery.message_id.replace("\0", "�") or str(uuid7()),
            "task_id": _task_id(delivery.body),
            "queue": queue.replace("\0", "�")[:LONGEST_QUEUE_NAME],
            "reason": reason.replace("\0", "�"),
            "body": delivery.body,
        }


def _task_id(body: bytes) -> UUID | None:
    try:
        return envelope.decode_command(body).command.task_id
    except MessageError as error:
        return UUID(error.task_id) if error.task_id else None
