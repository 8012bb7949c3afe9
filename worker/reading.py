"""From a delivery to what the worker asks of the journal: decoded, checked, with the limits of its definition."""

from __future__ import annotations

from batchtask import envelope
from batchtask.broker import Delivery
from batchtask.definitions import TaskDefinition
from batchtask.errors import MessageError
from batchtask.messages import SubmitTask
from batchtask.publishing import REPEAT_HEADER
from batchtask.topology import TASKS_QUEUE
from worker.claims import ClaimRequest
from worker.deps import Deps
from worker.modes import hard_limit
from worker.turns import Distance


def read(delivery: Delivery, deps: Deps) -> ClaimRequest:
    """Decode a delivery. A task that this worker cannot run is not poison: another one may, so it is deferred.

    Raises:
        MessageError: Nobody can ever read it.
    """
    message = envelope.decode_command(delivery.body)
    command = message.command
    if not isinstance(command, SubmitTask):
        raise MessageError(f"{type(command).__name__} does not belong in {TASKS_QUEUE.name}", str(command.task_id))
    unable = _unable(command, deps)
    definition = None if unable else deps.registry[command.name]
    return ClaimRequest(
        command=command,
        # The same command in two messages, because a publisher saw no confirm, is two deliveries.
        message_id=message.message_id + str(delivery.headers.get(REPEAT_HEADER, "")),
        redelivered=delivery.redelivered,
        limit_seconds=hard_limit(definition.timeout_seconds, deps.settings.task_timeout) if definition else None,
        traceparent=message.traceparent,
        held=command.name in deps.held,
        lease_seconds=deps.settings.lease_seconds,
        lost_attempts=definition.retry.lost_attempts if definition else 1,
        release=message.release,
        unable=unable,
        turn=_distance(definition) if definition else None,
    )


def _unable(command: SubmitTask, deps: Deps) -> str:
    if command.name not in deps.registry:
        return f"Waiting for a worker that knows the task {command.name!r}: install the package that defines it."
    tag = deps.settings.database_tag
    if command.database_tag and tag and command.database_tag != tag:
        return f"Waiting for a worker of database {command.database_tag!r}."
    return ""


def _distance(definition: TaskDefinition) -> Distance | None:
    if not definition.exclusive:
        return None
    return Distance(definition.start_interval_seconds, definition.minimum_sleep_seconds)
