"""Hearing from the broker which tasks change. News are hints: what is shown is always read from the rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from batchtask import envelope
from batchtask.broker.connection import Connection
from batchtask.errors import MessageError
from batchtask.identifiers import TaskId
from batchtask.messages import SubmitTask
from batchtask.topology import (
    CANCEL_KEY,
    COMMANDS,
    EVENTS,
    EVENTS_KEY,
    LATER_KEY,
    RELEASE_KEY,
    SUBMIT_KEY,
    Topology,
)

logger = logging.getLogger(__name__)

#: Said of a change whose version nobody knows yet, such as a wish to cancel: later than any the row can have now.
NOT_YET_KNOWN = 2**31
#: Messages that may wait for this process; older ones are dropped, and the hub's next rescan finds what they said.
LONGEST_QUEUE = 20_000

#: Told of each change: the task, the version its row will have, its owner if that is known.
Heard = Callable[[TaskId, int, int | None], None]


class Ear:
    """Listens on a queue of its own that ends with the connection. One event loop.

    Args:
        url: Of the broker.
        heard: Told of every change, many times a second; must not raise.
        missed: Told each time the connection has come back: what happened meanwhile was not heard.
    """

    def __init__(self, url: str, heard: Heard, missed: Callable[[], None]) -> None:
        self._url = url
        self._heard = heard
        self._missed = missed
        self._connection: Connection | None = None

    def open(self) -> None:
        """Begin to listen, in the background and again after every loss; harmless to repeat."""
        if self._connection is None:
            self._connection = Connection(
                self._url,
                role="web live",
                set_up=self._subscribe,
                lost=lambda _: None,
                topology=Topology(exchanges=(COMMANDS, EVENTS)),
            )
            self._connection.start_in_background()

    async def close(self) -> None:
        """Listen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _subscribe(self) -> None:
        assert self._connection is not None
        channel, call = self._connection.channel, self._connection.call
        limits = {"x-max-length": LONGEST_QUEUE, "x-overflow": "drop-head"}
        answer = await call(channel.queue_declare, "", exclusive=True, auto_delete=True, arguments=limits)
        queue = answer.method.queue
        await call(channel.queue_bind, queue, EVENTS.name, routing_key=EVENTS_KEY)
        for key in (SUBMIT_KEY, LATER_KEY, RELEASE_KEY, CANCEL_KEY):
            await call(channel.queue_bind, queue, COMMANDS.name, routing_key=key)
        await call(channel.basic_consume, queue, partial(_received, self._heard), auto_ack=True)
        self._missed()


def _received(heard: Heard, *message: object) -> None:
    """Take a message as pika hands it over: channel, method, properties, body."""
    method, body = message[1], message[3]
    assert isinstance(body, bytes)
    try:
        if getattr(method, "exchange", "") == EVENTS.name:
            for task_id, version in envelope.changes(body):
                heard(task_id, version, None)
        else:
            _hear_command(heard, body)
    except MessageError as error:
        # The projections set it aside and say so; here it changes nothing.
        logger.debug("unreadable message", extra={"reason": str(error)})


def _hear_command(heard: Heard, body: bytes) -> None:
    message = envelope.decode_command(body)
    command, task_id = message.command, TaskId(message.command.task_id)
    if not isinstance(command, SubmitTask):
        heard(task_id, NOT_YET_KNOWN, None)
    else:
        heard(task_id, 0 if message.release is None else message.release + 1, command.owner)
