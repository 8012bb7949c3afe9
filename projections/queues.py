"""How full the broker's queues are, as administrators see them. What cannot be found out in time is left open.

Over a connection of its own that opens when somebody first asks, and again by itself: a look must not disturb
whoever publishes. One event loop.
"""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy import Engine

from batchtask.broker.connection import Connection
from batchtask.broker.depth import Depth, depth_of
from batchtask.broker.management import NoAnswer, unsettled_messages
from batchtask.connecting import NOT_YET, Closed
from batchtask.errors import BrokerUnavailable
from batchtask.settings import Settings
from batchtask.topology import DEAD_QUEUE, PROJECTIONS_QUEUE, TASKS_QUEUE, Topology
from projections.overview import oldest_waiting_seconds

#: Whoever asks is answered by then, with what is known.
ANSWER_SECONDS = 1.5

#: What each queue is for.
PURPOSES = {
    TASKS_QUEUE.name: "Tasks that wait for a worker.",
    PROJECTIONS_QUEUE.name: "News of tasks that wait to be shown: submissions, wishes to cancel, what workers did.",
    DEAD_QUEUE.name: "Messages that nobody could read or carry out, until they are kept as dead letters.",
}


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """One queue; what is null could not be found out."""

    name: str
    what: str  #: it is for
    messages: int | None  #: that wait
    unsettled: int | None  #: that somebody has in hand; only the management API knows
    consumers: int | None
    oldest_seconds: float | None  #: for how long the longest waiting one has waited; known of tasks only


class QueueList(msgspec.Struct, frozen=True, kw_only=True):
    """All queues."""

    queues: list[QueueView]
    note: str  #: why something could not be found out, in words; empty when all is well


class QueueDesk:
    """Looks at the queues.

    Args:
        settings: Uses `amqp_url` and `management_url`.
        engine: The database, which knows for how long tasks wait.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._connection: Connection | None = None
        self._looking = asyncio.Lock()

    async def look(self) -> QueueList:
        """Return what can be found out within `ANSWER_SECONDS`; never raises because the broker is away.

        Raises:
            StoreUnavailable: The database cannot be asked.
        """
        oldest, (depths, note), (unsettled, second_note) = await asyncio.gather(
            asyncio.to_thread(oldest_waiting_seconds, self._engine), self._depths(), self._unsettled()
        )
        queues = [
            QueueView(
                name=name,
                what=what,
                messages=depths[name].messages if name in depths else None,
                unsettled=unsettled.get(name),
                consumers=depths[name].consumers if name in depths else None,
                oldest_seconds=oldest if name == TASKS_QUEUE.name else None,
            )
            for name, what in PURPOSES.items()
        ]
        return QueueList(queues=queues, note=" ".join(filter(None, (note, second_note))))

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _depths(self) -> tuple[dict[str, Depth], str]:
        found: dict[str, Depth] = {}
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._looking:
                for name in PURPOSES:
                    connection = await self._opened()
                    if (depth := await depth_of(connection, name)) is not None:
                        found[name] = depth
        except (TimeoutError, Closed, BrokerUnavailable) as error:
            return found, f"The broker does not answer: {self._trouble(error)}."
        missing = ", ".join(name for name in PURPOSES if name not in found)
        return found, f"The broker has no queue {missing}: run `batchtask migrate`." if missing else ""

    async def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(
                self._settings.amqp_url,
                role="web queues",
                set_up=_nothing,
                lost=lambda _: None,
                topology=Topology(exchanges=()),
            )
            self._connection.start_in_background()
        await self._connection.wait_usable()
        return self._connection

    def _trouble(self, error: Exception) -> str:
        trouble = self._connection.trouble if self._connection is not None else str(error)
        return f"not within {ANSWER_SECONDS:g} s" if trouble in {"", NOT_YET} else trouble

    async def _unsettled(self) -> tuple[dict[str, int], str]:
        if not self._settings.management_url:
            return {}, ""
        asked = asyncio.to_thread(unsettled_messages, self._settings.management_url, self._settings.amqp_url)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asked, ""
        except (TimeoutError, NoAnswer) as error:
            reason = str(error) or f"not within {ANSWER_SECONDS:g} s"
            return {}, f"The broker's management API does not answer: {reason}."


async def _nothing() -> None:
    """Whoever only looks needs nothing set up."""
