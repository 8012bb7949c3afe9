"""Submitting from asynchronous code: aio-pika, on the caller's event loop.

The counterpart of `producer/blocking.py`: same methods, same errors. What publishes is `producer/aio_publisher.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aio_pika.abc import AbstractRobustConnection

from batchtask.definitions import Registry
from batchtask.identifiers import TaskId
from batchtask.payloads import PayloadStore
from batchtask.publishing import TURN
from batchtask.settings import Settings
from producer.aio_publisher import AioPublisher, GivenLink, OwnLink
from producer.submission import Preparer, Submission, cancellation, publish
from producer.task_request import TaskRequest


class Producer:
    """Submits and cancels tasks. One for the whole web process, on one event loop; any number of tasks may share it.

    Connects on first use and again by itself. Nothing is kept in memory after a call returned: what was not confirmed
    has raised. A call that is cancelled may have submitted.

    Args:
        settings: Uses `amqp_url`, `submit_seconds` and `payload_url`.
        registry: The definitions to check against; by default those of all installed distributions.
        connection: Used instead of `amqp_url`, with a channel of its own; stays open when the producer is closed.

    Raises:
        BrokerUnavailable: `amqp_url` cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry | None = None,
        connection: AbstractRobustConnection | None = None,
    ) -> None:
        self._settings = settings
        self._preparer = Preparer(registry or Registry.installed(), PayloadStore(settings.payload_url))
        self._publisher = AioPublisher(GivenLink(connection) if connection else OwnLink(settings.amqp_url))

    async def submit(self, name: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> TaskId:
        """Submit one task and return its id once the broker has it on disk, in the work and the projections queue.

        Args:
            name: Of an installed task definition.
            parameters: What its schema wants.
            fields: The other fields of `TaskRequest`: owner, description, delay_seconds, deduplication_key, …

        Raises:
            UnknownTask, InvalidParameters, PayloadTooLarge, PayloadUnwritable: Refused; nothing was published.
            PublishUnconfirmed: Not confirmed within `submit_seconds`. Submit again with the same `task_id`: harmless.
            PublishReturned: No queue is bound.
            TopologyMismatch: The broker has other queues than ours; nothing was published.
        """
        return (await self.submit_many([TaskRequest(name=name, parameters=parameters or {}, **fields)]))[0]

    async def submit_many(self, requests: Iterable[TaskRequest]) -> list[TaskId]:
        """Submit many tasks with hundreds of confirms in flight, and return their ids in order.

        Every request is checked before the first is published.

        Raises:
            UnknownTask, InvalidParameters, PayloadTooLarge, PayloadUnwritable: Refused; nothing was published.
            SubmitManyFailed: Names those that were not confirmed. A single request raises its own error.
            TopologyMismatch: As of `submit`.
        """
        submissions = [await self._prepare(count, request) for count, request in enumerate(requests)]
        await self._publish(submissions)
        return [submission.task_id for submission in submissions]

    async def cancel(self, task_id: TaskId, *, requested_by: int = 0, reason: str = "", force: bool = False) -> None:
        """Ask for a task to stop; returns when the wish is safe, not when the task has stopped.

        Harmless to repeat, and for a task that has finished.

        Args:
            task_id: As `submit` returned it.
            requested_by: Associate id of who asks; 0 = system.
            reason: Kept in the task's history.
            force: Kill what runs instead of asking it, also a task whose definition says that it cannot be cancelled.

        Raises:
            InvalidCancellation: Names the field that does not fit; nothing was published.
            PublishUnconfirmed, PublishReturned, TopologyMismatch: As of `submit`.
        """
        await self._publish([cancellation(task_id, requested_by=requested_by, reason=reason, force=force)])

    async def close(self) -> None:
        """Close the connection, unless it was given. The producer opens a new one when it is used again."""
        await self._publisher.close()

    async def __aenter__(self) -> Producer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _prepare(self, count: int, request: TaskRequest) -> Submission:
        if self._settings.payload_url:
            # The store may be a bucket far away: its answer must not stop the loop.
            return await asyncio.to_thread(self._preparer.submission, request)
        if count % TURN == TURN - 1:
            await asyncio.sleep(0)
        return self._preparer.submission(request)

    async def _publish(self, submissions: list[Submission]) -> None:
        if not submissions:
            return
        self._publisher.keep_open()
        await publish(self._publisher, submissions, submit_seconds=self._settings.submit_seconds)
