"""The relay: what was committed to the outbox goes to the broker. Part of every projections process.

Any number of them may run: a row that one has in hand, the others pass by. Order is the design: published, confirmed,
then deleted. A crash in between publishes the command once more, and the claim makes one task of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, select

from batchtask import envelope, signal_points
from batchtask.connecting import Closed
from batchtask.database import database_errors
from batchtask.errors import PublishError, PublishReturned, SchemaMissing, StoreUnavailable
from batchtask.identifiers import uuid7
from batchtask.publishing import REPEAT_HEADER, Message, Publishes
from batchtask.tables import outbox
from batchtask.topology import COMMANDS
from projections.watch import Watch

logger = logging.getLogger(__name__)

#: Pause between two looks, and so how late a committed submission may be published.
LOOK_SECONDS = 0.25
#: Rows in one transaction. Measured: 500 and 1000 give the same rate.
PAGE = 500
#: How long rows stay locked for the broker's confirms, counted from the last of them. A guess.
PUBLISH_SECONDS = 5.0
#: What the broker has no queue for is offered again after this. A guess: a human must act in between.
UNROUTABLE_SECONDS = 30.0

#: Publishes messages and returns what failed, by index.
Publish = Callable[[Sequence[Message]], Mapping[int, PublishError]]


@dataclass(frozen=True)
class Relayed:
    """What became of the rows that were there."""

    published: int = 0
    unconfirmed: int = 0  #: not taken by the broker; they stay


class Pages:
    """Takes rows of the outbox, publishes and deletes them. One thread; as many processes as one likes.

    Args:
        engine: The database.
        publish: The way to the broker.
    """

    def __init__(self, engine: Engine, publish: Publish) -> None:
        self._engine = engine
        self._publish = publish
        self._unroutable: dict[str, float] = {}  # routing keys without a queue → when to try again

    def relay(self) -> Relayed:
        """Publish everything that can be, in the order in which it was written.

        Raises:
            StoreUnavailable: Some may have been published; call again.
        """
        published = 0
        while True:
            with database_errors(), self._engine.begin() as connection:
                rows = self._take(connection)
                failed = self._publish_rows(rows) if rows else {}
                done = [row.id for index, row in enumerate(rows) if index not in failed]
                if done:
                    connection.execute(delete(outbox).where(outbox.c.id.in_(done)))
                    signal_points.reached("relay.deleted")
            published += len(done)
            if done:
                signal_points.reached("relay.committed")
            unconfirmed = sum(not isinstance(error, PublishReturned) for error in failed.values())
            if len(rows) < PAGE or unconfirmed:
                return Relayed(published, unconfirmed)

    def _take(self, connection: Connection) -> Sequence[Row[Any]]:
        """Lock the next page of rows that nobody else works on."""
        now = time.monotonic()
        self._unroutable = {key: until for key, until in self._unroutable.items() if until > now}
        query = select(outbox).order_by(outbox.c.id).limit(PAGE).with_for_update(skip_locked=True)
        if self._unroutable:
            # What nobody can publish must not stand in the way of the rest.
            query = query.where(outbox.c.routing_key.not_in(self._unroutable))
        return connection.execute(query).all()

    def _publish_rows(self, rows: Sequence[Row[Any]]) -> Mapping[int, PublishError]:
        signal_points.reached("relay.taken")
        failed = self._publish([_message(row) for row in rows])
        signal_points.reached("relay.published")
        returned = Counter(rows[index].routing_key for index, error in failed.items() if _returned(error))
        for routing_key, count in returned.items():
            self._unroutable[routing_key] = time.monotonic() + UNROUTABLE_SECONDS
            logger.error(
                "no queue takes submissions of the outbox; they stay there. Run `batchtask migrate`",
                extra={"routing_key": routing_key, "tasks": count},
            )
        return failed


class Relay(Watch):
    """Looks into the outbox again and again. One event loop; the database work is done in a thread.

    Args:
        engine: The database.
        publisher: The way to the broker, started by the caller.
    """

    def __init__(self, engine: Engine, publisher: Publishes) -> None:
        super().__init__("relay", publisher, PUBLISH_SECONDS)
        self._pages = Pages(engine, self._publish)
        self._away = False  # the database, when it was asked last

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(Closed):
                await self._publisher.wait_usable()  # before anything is locked: that may take hours
            async with self._looking:
                await self._look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        try:
            relayed = await asyncio.get_running_loop().run_in_executor(self._thread, self._pages.relay)
        except (StoreUnavailable, SchemaMissing) as error:  # tables are gone while a backup is being restored
            if not self._away:
                logger.warning("database away", extra={"reason": str(error)})
            self._away = True
        except Exception:
            logger.exception("relay cannot go on with the outbox")
        else:
            self._away = False
            if relayed.unconfirmed:
                logger.warning("submissions of the outbox not confirmed", extra={"tasks": relayed.unconfirmed})


def lag_seconds(engine: Engine) -> float | None:
    """How long the oldest committed submission has been waiting for a relay; None when there is none.

    Raises:
        StoreUnavailable, SchemaMissing: The database cannot tell.
    """
    query = select(func.extract("epoch", func.clock_timestamp() - func.min(outbox.c.written_at)))
    with database_errors(), engine.connect() as connection:
        seconds = connection.execute(query).scalar()
    return None if seconds is None else float(seconds)


def _message(row: Row[Any]) -> Message:
    return Message(
        exchange=COMMANDS.name,
        routing_key=row.routing_key,
        body=row.body,
        message_id=str(row.task_id),
        type="SubmitTask",
        content_type=envelope.CONTENT_TYPE,
        # It may be a second copy, after a crash: a redelivery of one must prove nothing about the other.
        headers={REPEAT_HEADER: uuid7().hex},
    )


def _returned(error: PublishError) -> bool:
    return isinstance(error, PublishReturned)
