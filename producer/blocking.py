"""Submitting from synchronous code, from any thread: pika on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from batchtask import envelope
from batchtask.broker import Message, Publisher, publish_all
from batchtask.definitions import Registry
from batchtask.identifiers import TaskId
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from batchtask.topology import CANCEL_KEY, COMMANDS, SUBMIT_KEY
from producer.submission import Preparer, Submission, SubmitManyFailed, TaskRequest, cancellation

T = TypeVar("T")

#: Added to the deadline of `submit_many` for each message: a hundredth of the rate measured, against a hang only.
SECONDS_PER_MESSAGE = 0.01


class Producer:
    """Submits and cancels tasks. Thread-safe; one for the whole web process, also across a fork.

    Connects on first use and again by itself. Nothing is kept in memory after a call returned: what was not confirmed
    has raised.

    Args:
        settings: Uses `amqp_url`, `submit_seconds` and `payload_url`.
        registry: The definitions to check against; by default those of all installed distributions.
    """

    def __init__(self, settings: Settings, *, registry: Registry | None = None) -> None:
        self._settings = settings
        self._preparer = Preparer(registry or Registry.installed(), PayloadStore(settings.payload_url))
        self._lock = threading.Lock()
        self._io: _IoThread | None = None

    def submit(self, name: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> TaskId:
        """Submit one task and return its id once the broker has it on disk, in the work and the projections queue.

        Args:
            name: Of an installed task definition.
            parameters: What its schema wants.
            fields: The other fields of `TaskRequest`: owner, description, task_id, …

        Raises:
            UnknownTask, InvalidParameters, PayloadTooLarge: Refused; nothing was published.
            PublishUnconfirmed: Not confirmed within `submit_seconds`. Submit again with the same `task_id`: harmless.
            PublishReturned: No queue is bound.
        """
        return self.submit_many([TaskRequest(name=name, parameters=parameters or {}, **fields)])[0]

    def submit_many(self, requests: Iterable[TaskRequest]) -> list[TaskId]:
        """Submit many tasks with hundreds of confirms in flight, and return their ids in order.

        Every request is checked before the first is published.

        Raises:
            UnknownTask, InvalidParameters, PayloadTooLarge: Refused; nothing was published.
            SubmitManyFailed: Names those that were not confirmed. A single request raises its own error.
        """
        submissions = [self._preparer.submission(request) for request in requests]
        self._publish(submissions, SUBMIT_KEY)
        return [submission.task_id for submission in submissions]

    def cancel(self, task_id: TaskId, *, requested_by: int = 0, reason: str = "") -> None:
        """Ask for a task to stop; returns when the wish is safe, not when the task has stopped.

        Harmless to repeat, and for a task that has finished.

        Raises:
            PublishUnconfirmed, PublishReturned: As of `submit`.
        """
        self._publish([cancellation(task_id, requested_by=requested_by, reason=reason)], CANCEL_KEY)

    def close(self) -> None:
        """Close the connection. The producer opens a new one when it is used again."""
        with self._lock:
            io, self._io = self._io, None
        if io is not None and io.alive:
            io.stop()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _publish(self, submissions: list[Submission], routing_key: str) -> None:
        if not submissions:
            return
        seconds = self._settings.submit_seconds + SECONDS_PER_MESSAGE * (len(submissions) - 1)
        messages = [_message(submission, routing_key) for submission in submissions]
        io = self._running_io()
        failed = io.run(publish_all(io.publisher, messages, deadline_seconds=seconds))
        if failed and len(submissions) == 1:
            raise failed[0]
        if failed:
            confirmed = [entry.task_id for index, entry in enumerate(submissions) if index not in failed]
            raise SubmitManyFailed(confirmed, {submissions[index].task_id: error for index, error in failed.items()})

    def _running_io(self) -> _IoThread:
        with self._lock:
            # After a fork the thread exists in the parent only.
            if self._io is None or not self._io.alive:
                self._io = _IoThread(self._settings.amqp_url)
            return self._io


class _IoThread:
    """An event loop in a daemon thread, with a publisher on it."""

    def __init__(self, amqp_url: str) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="batchtask-producer", daemon=True)
        self._thread.start()
        self.publisher = self.run(_open(amqp_url))

    @property
    def alive(self) -> bool:
        return self._process == os.getpid() and self._thread.is_alive()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stop(self) -> None:
        self.run(self.publisher.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _open(amqp_url: str) -> Publisher:
    publisher = Publisher(amqp_url, role="producer")
    publisher.connection.start_in_background()
    return publisher


def _message(submission: Submission, routing_key: str) -> Message:
    return Message(
        exchange=COMMANDS.name,
        routing_key=routing_key,
        body=submission.body,
        message_id=str(submission.task_id),
        type=submission.type,
        content_type=envelope.CONTENT_TYPE,
    )
