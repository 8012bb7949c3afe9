"""Submitting from synchronous code, from any thread: pika on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any
from weakref import WeakMethod

from batchtask.broker import Publisher
from batchtask.definitions import Registry
from batchtask.identifiers import TaskId
from batchtask.payloads import PayloadStore
from batchtask.settings import Settings
from producer.submission import Preparer, Submission, cancellation, publish
from producer.task_request import TaskRequest


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
        after_fork = WeakMethod(self._begin_anew)
        os.register_at_fork(after_in_child=lambda: call() if (call := after_fork()) else None)

    def submit(self, name: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> TaskId:
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
            BrokerUnavailable: `amqp_url` cannot be read.
        """
        return self.submit_many([TaskRequest(name=name, parameters=parameters or {}, **fields)])[0]

    def submit_many(self, requests: Iterable[TaskRequest]) -> list[TaskId]:
        """Submit many tasks with hundreds of confirms in flight, and return their ids in order.

        Every request is checked before the first is published.

        Raises:
            UnknownTask, InvalidParameters, PayloadTooLarge, PayloadUnwritable: Refused; nothing was published.
            SubmitManyFailed: Names those that were not confirmed. A single request raises its own error.
            TopologyMismatch, BrokerUnavailable: As of `submit`.
        """
        submissions = [self._preparer.submission(request) for request in requests]
        self._publish(submissions)
        return [submission.task_id for submission in submissions]

    def cancel(self, task_id: TaskId, *, requested_by: int = 0, reason: str = "", force: bool = False) -> None:
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
        self._publish([cancellation(task_id, requested_by=requested_by, reason=reason, force=force)])

    def close(self) -> None:
        """Close the connection. The producer opens a new one when it is used again."""
        with self._lock:
            io, self._io = self._io, None
        if io is not None:
            io.stop()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _publish(self, submissions: list[Submission]) -> None:
        if not submissions:
            return
        # Begun under the lock, so that `close` finds it on the loop and waits for its end.
        with self._lock:
            if self._io is None:
                self._io = _IoThread(self._settings.amqp_url)
            publishing = self._io.begin(submissions, self._settings.submit_seconds)
        publishing.result()

    def _begin_anew(self) -> None:
        """Forget the parent's thread, which does not exist in a forked child, and its lock, which may be held."""
        self._lock = threading.Lock()
        self._io = None


class _IoThread:
    """An event loop in a daemon thread, with a publisher on it."""

    def __init__(self, amqp_url: str) -> None:
        self._publisher = Publisher(amqp_url, role="producer")
        self._stopping = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="batchtask-producer", daemon=True)
        self._thread.start()

    def begin(self, submissions: list[Submission], submit_seconds: float) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self._publish(submissions, submit_seconds), self._loop)

    def stop(self) -> None:
        """End the thread; calls of other threads that wait for a confirm raise."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _publish(self, submissions: list[Submission], submit_seconds: float) -> None:
        if self._publisher.connection.given_up and not self._stopping:
            self._publisher.connection.start_in_background()
        await publish(self._publisher, submissions, submit_seconds=submit_seconds)

    async def _finish(self) -> None:
        self._stopping = True
        await self._publisher.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)
