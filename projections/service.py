"""One projections process: recorder, projector, scheduler, relay, keeper of dead letters; run two or more of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from batchtask import signal_points
from batchtask.batcher import Batcher
from batchtask.broker import Consumer, Delivery, Message, Publisher, publish_all
from batchtask.broker.dead_letters import dead_letter
from batchtask.clock import SYNC_SECONDS, DatabaseClock
from batchtask.database import make_engine, require_schema
from batchtask.errors import MessageError, SchemaMissing, StoreUnavailable, TaskNotFound
from batchtask.events import CancelRequested, RecordedEvent, TaskReplayed
from batchtask.settings import Settings
from batchtask.store import EventStore
from batchtask.topology import CONTROL, DEAD_QUEUE, PROJECTIONS_QUEUE
from projections.dead_letters import DeadLetters
from projections.decisions import Decisions
from projections.intake import sort_deliveries
from projections.projector import Projector
from projections.relay import Relay
from projections.scheduler import Scheduler, waits
from projections.upkeep import Upkeep

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Deliveries in hand, and so in one transaction, at most. Measured: larger batches gain nothing more.
PREFETCH = 1000
DEAD_PREFETCH = 100
#: Under load, least pause between two transactions, so that each carries more; a lone event is projected at once.
LINGER_SECONDS = 0.02
#: Pause between two tries while the database is away. A guess.
DATABASE_PAUSE_SECONDS = 0.5
PUBLISH_SECONDS = 30.0
#: A wish to cancel may overtake its submission, which another projections process has in hand; then it is tried again
#: after pauses that double. Half a minute in all is a guess: time enough for that process to die and its messages to
#: come back.
EARLY_PAUSE_SECONDS, EARLY_LONGEST_PAUSE_SECONDS, EARLY_TRIES = 0.1, 3.0, 14
#: No more of them are kept waiting: the rest of the prefetch is for news.
MOST_EARLY = PREFETCH // 4


@dataclass
class _Applied:
    """What came of some deliveries."""

    poison: list[tuple[Delivery, MessageError]] = field(default_factory=list)
    wishes: list[RecordedEvent] = field(default_factory=list)  #: to cancel, that workers must hear of
    early: list[tuple[Delivery, float]] = field(default_factory=list)  #: to be tried again, in so many seconds
    waits: bool = False  #: a task may be due now


class Projections:
    """Keeps `crm7.batchtask` true until told to stop. One event loop; the database work is done in a thread.

    Args:
        settings: Uses `amqp_url`, `database_url`, `drain_seconds`, `reconcile_seconds` and `heartbeat_seconds`.
    """

    def __init__(self, settings: Settings) -> None:
        self._drain_seconds = settings.drain_seconds
        self._engine = make_engine(settings.require_database())
        self._clock = DatabaseClock(self._engine)
        self._timekeeper: asyncio.Task[None] | None = None
        self._decisions = Decisions(EventStore(self._engine), self._clock.now)
        self._projector = Projector(self._engine)
        self._letters = DeadLetters(self._engine, self._decisions)
        # One thread: the projector folds one batch at a time, dead letters go through it in turn.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="projector")
        self._publisher = Publisher(settings.amqp_url, role="projections news")
        self._scheduler = Scheduler(self._engine, self._publisher)
        self._relay = Relay(self._engine, self._publisher)
        self._upkeep = Upkeep(settings, self._engine, self._publisher.connection, self._clock.now)
        self._news = Batcher(self._project, largest=PREFETCH, linger_seconds=LINGER_SECONDS)
        self._early: dict[tuple[int, int], int] = {}  # deliveries that wait for their submission → tries so far
        self._dead = Batcher(self._bury, largest=DEAD_PREFETCH)
        self._news_consumer = Consumer(
            settings.amqp_url,
            queue=PROJECTIONS_QUEUE.name,
            prefetch=PREFETCH,
            deliver=lambda delivery: _take(self._news, delivery),
            role="projections",
        )
        self._dead_consumer = Consumer(
            settings.amqp_url,
            queue=DEAD_QUEUE.name,
            prefetch=DEAD_PREFETCH,
            deliver=lambda delivery: _take(self._dead, delivery),
            role="projections dead letters",
        )

    async def start(self) -> None:
        """Check what we stand on, then consume.

        Raises:
            BrokerUnavailable, TopologyMismatch, StoreUnavailable, SchemaMissing: A human must act; the text says how.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, require_schema, self._engine)
        await loop.run_in_executor(self._thread, self._clock.sync)
        self._timekeeper = asyncio.create_task(self._keep_time())
        await self._publisher.start()
        await self._news_consumer.start()
        await self._dead_consumer.start()
        self._scheduler.start()
        self._relay.start()
        self._upkeep.start()
        logger.info("projections ready")

    async def failed(self) -> None:
        """Return never; raises when a connection cannot be kept."""
        parts = (self._publisher, self._news_consumer, self._dead_consumer)
        await asyncio.gather(
            *(part.connection.failed() for part in parts), self._scheduler.failed(), self._relay.failed()
        )

    async def drain(self) -> None:
        """Take nothing more and finish the batch in hand, for as long as `drain_seconds` allow."""
        await asyncio.gather(self._news_consumer.stop_deliveries(), self._dead_consumer.stop_deliveries())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds):
                await asyncio.gather(
                    self._news.idle(), self._dead.idle(), self._scheduler.drain(), self._relay.drain()
                )

    async def stop(self) -> None:
        """Close at once; what was not settled comes again to whoever follows."""
        if self._timekeeper is not None:
            self._timekeeper.cancel()
        await asyncio.gather(self._scheduler.stop(), self._relay.stop(), self._upkeep.stop())
        await asyncio.gather(self._news_consumer.close(), self._dead_consumer.close(), self._publisher.close())
        self._thread.shutdown(wait=False)
        self._engine.dispose()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            with contextlib.suppress(StoreUnavailable):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._clock.sync)

    async def _project(self, deliveries: Sequence[Delivery]) -> list[None]:
        """Record and project deliveries, then settle them: a crash before that brings them again."""
        try:
            applied = await self._in_thread(self._apply, deliveries)
        except Exception as error:
            if len(deliveries) > 1:
                # One of many is at fault; the others must not wait for it.
                for delivery in deliveries:
                    await self._project([delivery])
                return [None] * len(deliveries)
            logger.exception("message cannot be projected")
            applied = _Applied(poison=[(deliveries[0], MessageError(f"cannot be projected: {error}"))])
        signal_points.reached("projections.applied")
        if applied.waits:
            self._scheduler.look_soon()
        await self._publish([_control(event) for event in applied.wishes])
        await self._publish([dead_letter(bad, PROJECTIONS_QUEUE.name, error.reason) for bad, error in applied.poison])
        waiting = {(delivery.epoch, delivery.tag) for delivery, _ in applied.early}
        for delivery in deliveries:
            if (delivery.epoch, delivery.tag) not in waiting:
                self._news_consumer.settle(delivery)
        signal_points.reached("projections.settled")
        for delivery, pause in applied.early:
            asyncio.get_running_loop().call_later(pause, _take, self._news, delivery)
        return [None] * len(deliveries)

    def _apply(self, deliveries: Sequence[Delivery]) -> _Applied:
        """In the thread: one transaction for all."""
        intake = sort_deliveries(deliveries)
        self._projector.project(intake.events, submitted=intake.submitted)
        applied = _Applied(poison=intake.poison, waits=any(map(waits, intake.events + intake.submitted)))
        news: list[RecordedEvent] = []
        for delivery, command in intake.cancels:
            try:
                history = self._decisions.cancel(command)
            except TaskNotFound:
                self._note_early(delivery, applied)
            else:
                self._early.pop((delivery.epoch, delivery.tag), None)
                news += history
                applied.wishes += _wishes(history)
        if news:
            self._projector.project(news)
        return applied

    def _note_early(self, delivery: Delivery, applied: _Applied) -> None:
        place = (delivery.epoch, delivery.tag)
        tries = self._early.pop(place, 0) + 1
        if tries <= EARLY_TRIES and len(self._early) < MOST_EARLY:
            self._early[place] = tries
            pause = min(EARLY_PAUSE_SECONDS * 2 ** (tries - 1), EARLY_LONGEST_PAUSE_SECONDS)
            applied.early.append((delivery, pause))
            return
        applied.poison.append((delivery, MessageError("The task to cancel was never submitted.")))

    async def _bury(self, deliveries: Sequence[Delivery]) -> list[None]:
        try:
            await self._in_thread(self._keep, deliveries)
        except Exception:
            if len(deliveries) > 1:
                for delivery in deliveries:
                    await self._bury([delivery])
                return [None] * len(deliveries)
            # Unsettled it waits in the queue, in nobody's way, until a release can keep it.
            logger.exception("dead letter cannot be kept")
            return [None]
        signal_points.reached("dead-letters.kept")
        for delivery in deliveries:
            self._dead_consumer.settle(delivery)
        return [None] * len(deliveries)

    def _keep(self, deliveries: Sequence[Delivery]) -> None:
        news = self._letters.record(deliveries)
        if news:
            self._projector.project(news)

    async def _in_thread(self, function: Callable[[Sequence[Delivery]], T], deliveries: Sequence[Delivery]) -> T:
        """Call in the thread, again and again while the database is away."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, function, deliveries)
            except (StoreUnavailable, SchemaMissing) as error:  # tables are gone while a backup is being restored
                logger.warning("database away", extra={"reason": str(error)})
                await asyncio.sleep(DATABASE_PAUSE_SECONDS)

    async def _publish(self, messages: Sequence[Message]) -> None:
        while messages:
            failed = await publish_all(self._publisher, messages, deadline_seconds=PUBLISH_SECONDS)
            messages = [messages[index] for index in failed]


def _take(batcher: Batcher[Delivery, None], delivery: Delivery) -> None:
    batcher.submit(delivery)


def _wishes(history: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The wishes to cancel that count: one from before a replay is over, and would kill what runs now."""
    wishes: list[RecordedEvent] = []
    for event in history:
        match event.body:
            case CancelRequested():
                wishes.append(event)
            case TaskReplayed():
                wishes.clear()
    return wishes


def _control(event: RecordedEvent) -> Message:
    """A hint for the worker that runs the task; nobody may be listening, and that is fine.

    The worker looks into the stream for what is wished; one of a release that did not is told of the force here.
    """
    forced = isinstance(event.body, CancelRequested) and event.body.force
    return Message(
        exchange=CONTROL.name,
        routing_key="",
        body=f"{event.task_id} force".encode() if forced else str(event.task_id).encode(),
        message_id=str(event.task_id),
        type="cancel",
        content_type="text/plain",
        mandatory=False,
    )
