"""Hold or lease, worked out for the broker that answers: on start, and again whenever it may be another one.

A broker may be replaced by another version, and its queue may get another policy, while the worker runs.
"""

from __future__ import annotations

import logging

from batchtask.broker.ack_timeout import (
    ARGUMENT,
    PER_CONSUMER,
    AckTimeout,
    QueueLimits,
    Version,
    ack_timeout,
    queue_limits,
)
from batchtask.broker.management import NoAnswer
from batchtask.definitions import Registry
from batchtask.settings import Settings
from batchtask.topology import TASKS_QUEUE
from worker.modes import Modes, Service, modes, wanted_timeout

logger = logging.getLogger(__name__)


class Acknowledging:
    """Knows the acknowledgement timeout of the work queue and what follows from it.

    Args:
        settings: Uses `consumer_timeout`, `management_url`, `amqp_url` and the limits.
        registry: The installed tasks.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry
        self._service = Service(task_timeout=settings.task_timeout, drain_seconds=settings.drain_seconds)
        self._limits = QueueLimits()
        self.unanswered = ""  #: why the management API did not answer the last time; empty when it did
        self._told: tuple[AckTimeout, Modes] | None = None

    async def ask(self) -> bool:
        """Ask the management API, if there is one, for the queue's limits; True when they are not what they were."""
        settings, before = self._settings, self._limits
        if not settings.management_url:
            return False
        try:
            self._limits = await queue_limits(settings.management_url, settings.amqp_url, TASKS_QUEUE.name)
        except NoAnswer as error:
            # What was true a minute ago is a better guess than the default.
            if not self.unanswered:
                logger.warning(
                    "management API does not say the acknowledgement timeout", extra={"reason": str(error)}
                )
            self.unanswered = str(error)
            return False
        self.unanswered = ""
        return self._limits != before

    def timeout(self, version: Version) -> AckTimeout:
        """The timeout that will apply to our consumer on a broker of this version."""
        found = ack_timeout(version, self._settings.consumer_timeout, self._limits)
        wanted = wanted_timeout(self._registry, self._service)
        if version >= PER_CONSUMER and found.seconds is not None and wanted > found.seconds:
            return AckTimeout(wanted, "stated by the worker for tasks that demand to be held")
        return found

    def modes(self, version: Version) -> Modes:
        """How each task is acknowledged on a broker of this version."""
        timeout = self.timeout(version)
        return modes(self._registry, self._service, timeout.seconds, timeout.source)

    def subscribing(self, version: Version) -> tuple[Modes, dict[str, object]]:
        """The modes from now on and the arguments of `basic.consume`; what is new goes to the log.

        From 4.3 on the consumer states its timeout itself: then what the modes rest on is a fact, whatever the
        broker's configuration says.
        """
        timeout, found = self.timeout(version), self.modes(version)
        if self._told != (timeout, found):
            self._told = timeout, found
            _log(timeout, found)
        stated = version >= PER_CONSUMER and timeout.seconds is not None
        return found, {ARGUMENT: int(timeout.seconds * 1000)} if stated and timeout.seconds is not None else {}


def _log(timeout: AckTimeout, found: Modes) -> None:
    for message, names in (("messages held", found.held), ("messages leased", found.leased)):
        logger.info(message, extra={"tasks": ",".join(sorted(names)) or "none", "ack_timeout": str(timeout)})
    for problem in found.refused:
        logger.error("message leased against its task's demand", extra={"reason": problem})
