"""One worker: puts the parts together, keeps them running, and stops them in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from batchtask.batcher import Batcher
from batchtask.broker import Consumer, Delivery, Publisher
from batchtask.broker.ack_timeout import Version
from batchtask.clock import SYNC_SECONDS, DatabaseClock
from batchtask.database import make_engine, require_schema
from batchtask.definition_rows import save_definitions
from batchtask.definitions import Registry
from batchtask.errors import MalformedMessage, SchemaMissing, StoreBusy, StoreUnavailable
from batchtask.identifiers import TaskId, uuid7
from batchtask.settings import Settings
from batchtask.store import EventStore
from batchtask.topology import CONTROL, TASKS_QUEUE
from worker.acknowledging import Acknowledging
from worker.announcer import Announcer
from worker.attempt import run_attempt, set_aside
from worker.children.pool import ChildPool
from worker.children.process import ChildSettings
from worker.claims import ClaimRequest
from worker.deps import Deps
from worker.journal import Answer, Journal, Request
from worker.lease import ClaimAnswer
from worker.limits import stop_greedy
from worker.load import ProcessorLoad
from worker.logbook import Logbook
from worker.prefetch import TOO_LONG_SECONDS, PrefetchPolicy
from worker.presence import Presence
from worker.records import Recorded, RecordRequest
from worker.reports import heartbeat
from worker.running import Holding, Stop

logger = logging.getLogger(__name__)

#: Children kept warm while nothing runs: one for each core of a small machine.
WARM_CHILDREN = 2
#: Under load, least pauses between two statements, so that each carries more; nothing waits on an idle worker.
LINGER_SECONDS = 0.002
#: Pause between two tries while the database is away. A guess: short, because tasks wait for it.
DATABASE_PAUSE_SECONDS = 0.5
#: So long claims and records wait together for a lock on one of their streams: a projector's transaction has it for a
#: moment, a process that is frozen for `IDLE_SECONDS`. Then each is written by itself.
LOCK_SECONDS = 1.0
#: Before what was locked is tried again; meanwhile the others are written. A guess.
LOCKED_PAUSE_SECONDS = 0.5
#: How often lines are written and idle children looked at.
HOUSEKEEPING_SECONDS = 0.5
GOVERN_SECONDS = 0.1
#: How often the management API is asked whether the queue has another acknowledgement timeout by now. Before 4.3 it
#: knows of a policy only some seconds after the queue was made or the policy set.
ASK_SECONDS = 20.0
#: What a second signal, or the end of the drain, still grants to record and hand back what was interrupted.
INTERRUPT_SECONDS = 10.0


class Worker:
    """Consumes commands until told to stop. One event loop; task code runs in other processes only.

    Args:
        settings: Of this worker.
        registry: The tasks it can run.
        load: Says when the machine is too busy for more; by default as `cpu_threshold` has it.
    """

    def __init__(self, settings: Settings, registry: Registry, load: ProcessorLoad | None = None) -> None:
        self._settings = settings
        self._load = load or ProcessorLoad(settings.cpu_threshold)
        self._engine = make_engine(settings.require_database())
        self._journal_engine = make_engine(settings.require_database(), pool_size=2, lock_seconds=LOCK_SECONDS)
        self.name = f"{socket.gethostname()}/{os.getpid()}/{uuid7().hex[-8:]}"
        self._clock = DatabaseClock(self._engine)
        self._publisher = Publisher(settings.amqp_url, role=f"worker {self.name} news")
        self._threads = ThreadPoolExecutor(max_workers=3, thread_name_prefix="store")
        self._attempts: set[asyncio.Task[None]] = set()
        self._housekeeping: list[asyncio.Task[None]] = []
        self._adjusting = asyncio.Lock()
        self._acknowledging = Acknowledging(settings, registry)
        self._deps = self._assemble(registry, EventStore(self._journal_engine))
        self._presence = Presence(self._engine, self.name, self._deps)

    def _assemble(self, registry: Registry, store: EventStore) -> Deps:
        settings = self._settings
        journal = Journal(store, self.name, self._clock.now)
        self._journal: Batcher[Request, Answer] = Batcher(
            lambda requests: self._until_available(journal.write, requests), linger_seconds=LINGER_SECONDS
        )
        return Deps(
            settings=settings,
            registry=registry,
            consumer=Consumer(
                settings.amqp_url,
                queue=TASKS_QUEUE.name,
                prefetch=settings.max_tasks,
                deliver=self._deliver,
                lost=self._consumer_lost,
                news=(CONTROL, self._cancel_hinted),
                arguments=self._subscribing,
                role=f"worker {self.name}",
            ),
            announcer=Announcer(self._publisher, f"/batchtask/worker/{self.name}"),
            pool=ChildPool(
                ChildSettings(
                    database_url=self._engine.url.render_as_string(hide_password=False),
                    files_dir=settings.files_dir.absolute(),
                    payload_url=settings.payload_url,
                    archive_dir=settings.archive_dir.absolute(),
                    secret_keys=settings.secret_keys,
                ),
                warm=WARM_CHILDREN,
                largest=settings.max_tasks,
                child_tasks=settings.child_tasks,
                child_memory_mb=settings.child_memory_mb,
            ),
            logbook=Logbook(self._engine),
            now=self._clock.now,
            claim=self._claim,
            record=self._record,
            prefetch=PrefetchPolicy(settings.max_tasks),
            held=frozenset(),
            adjust_prefetch=self._adjust_prefetch,
            slots=asyncio.Semaphore(settings.max_tasks),
        )

    async def start(self) -> None:
        """Check what we stand on, then consume.

        Raises:
            BrokerUnavailable, TopologyMismatch, StoreUnavailable, SchemaMissing, SettingsError: A human must act;
                the text says how.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, require_schema, self._engine)
        await loop.run_in_executor(self._threads, self._clock.sync)
        await loop.run_in_executor(self._threads, save_definitions, self._engine, self._deps.registry)
        await self._publisher.start()  # first: without a broker no child shall have been started
        await self._ask_once()
        self._acknowledging.modes(self._publisher.connection.version).require()
        await self._presence.begin()
        await self._adjust_prefetch()  # to nothing during a pause
        await self._deps.pool.start()
        await self._deps.consumer.start()
        care = (self._beat, self._keep_time, self._tidy, self._watch_memory, self._govern, self._ask)
        self._housekeeping = [asyncio.create_task(one()) for one in (*care, self._presence.keep)]
        logger.info("worker ready", extra={"worker": self.name, "max_tasks": self._settings.max_tasks})

    async def failed(self) -> None:
        """Return never; raises when a connection can not be kept, as when somebody redeclared a queue."""
        await asyncio.gather(self._deps.consumer.connection.failed(), self._publisher.connection.failed())

    async def drain(self) -> None:
        """Take nothing more and let running tasks finish, up to `drain_seconds`."""
        logger.info("worker draining", extra={"running": len(self._attempts)})
        self._deps.draining = True
        self._presence.say_soon()
        await self._deps.consumer.stop_deliveries()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=self._settings.drain_seconds)

    async def stop(self) -> None:
        """Interrupt what still runs: killed, recorded as interrupted, given back. Then close everything."""
        self._deps.draining = self._deps.stopping = True
        for running in list(self._deps.running.values()):
            running.stop(Stop.SHUTDOWN)
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=INTERRUPT_SECONDS)
        for task in [*self._housekeeping, *self._attempts]:
            task.cancel()
        await self._write_log()
        await self._deps.consumer.close()
        await self._publisher.close()
        await self._deps.pool.close()
        await self._presence.leave()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._journal_engine.dispose()
        self._engine.dispose()

    def _deliver(self, delivery: Delivery) -> None:
        attempt = asyncio.create_task(self._attempt(delivery))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            await run_attempt(delivery, self._deps)
        except Exception as error:
            # A bug of ours, or content that the database refuses. Unsettled it would come again for ever.
            logger.exception("attempt broke")
            await set_aside(delivery, MalformedMessage(f"The worker cannot handle it: {error}"), self._deps)

    def _consumer_lost(self, _: str) -> None:
        # The broker gives our messages to others now: soon find out which tasks are no longer ours.
        asyncio.get_running_loop().call_later(2, self._beat_once)

    def _subscribing(self, version: Version) -> Mapping[str, object]:
        modes, arguments = self._acknowledging.subscribing(version)
        self._deps.held = modes.held
        return arguments

    async def _ask(self) -> None:
        """Follow the broker's operator, who may give the queue another acknowledgement timeout at any time."""
        deps = self._deps
        while self._settings.management_url:
            await asyncio.sleep(ASK_SECONDS)
            if await self._ask_once() and not deps.draining:
                async with self._adjusting:
                    await deps.consumer.set_prefetch(deps.consumer.prefetch)  # subscribes anew, with what is new

    async def _ask_once(self) -> bool:
        silent = self._acknowledging.unanswered
        changed = await self._acknowledging.ask()
        if (reason := self._acknowledging.unanswered) and not silent:
            logger.warning("management API does not say the acknowledgement timeout", extra={"reason": reason})
        return changed

    def _cancel_hinted(self, body: bytes) -> None:
        """Take a hint from the projections: `<task id>`, or `<task id> force`.

        It may be late, and its wish of before a replay. What counts stands in the stream, where a heartbeat finds it.
        """
        with contextlib.suppress(ValueError, UnicodeDecodeError):
            task_id = TaskId(UUID(body.decode().partition(" ")[0]))
            for (held_id, _), holding in self._deps.holding.items():
                if held_id == task_id:
                    holding.cancel_hinted = True
            if task_id in self._deps.running:
                heartbeat(self._deps.running[task_id], self._deps)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            self._beat_once()

    def _beat_once(self) -> None:
        for running in list(self._deps.running.values()):
            heartbeat(running, self._deps)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            with contextlib.suppress(StoreUnavailable):
                await asyncio.get_running_loop().run_in_executor(self._threads, self._clock.sync)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            self._deps.pool.tidy()
            await self._write_log()

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            await stop_greedy(self._deps)

    async def _govern(self) -> None:
        """Keep the prefetch right, and give back what waits too long for a slot, or for the machine."""
        deps, loop = self._deps, asyncio.get_running_loop()
        while True:
            await asyncio.sleep(GOVERN_SECONDS)
            self._look_at_load(loop.time())
            late = [one for one in self._waiting() if loop.time() - one.arrived_at > TOO_LONG_SECONDS]
            if late:
                deps.prefetch.waited_too_long(loop.time())
            await self._adjust_prefetch()
            if deps.full:
                self._give_back(self._waiting())
            elif deps.consumer.prefetch <= self._settings.max_tasks - len(deps.leased):
                # No more is wanted than can begin: what waits all the same came before, and others may be idle.
                self._give_back(late)

    def _waiting(self) -> list[Holding]:
        holding, consumer = self._deps.holding.values(), self._deps.consumer
        return [one for one in holding if not one.started and consumer.holds(one.delivery)]

    def _look_at_load(self, now: float) -> None:
        deps, before = self._deps, self._deps.overloaded
        deps.overloaded = self._load.look(now)
        if deps.full:
            # Each return counts as a failed delivery: afterwards take no more than can begin, so it happens once.
            deps.prefetch.waited_too_long(now)
        if deps.overloaded != before:
            logger.info("processors too busy" if deps.overloaded else "processors free again")

    async def _adjust_prefetch(self) -> None:
        """Ask the broker for as much as fits."""
        deps = self._deps
        async with self._adjusting:
            leased = len(deps.leased)
            wanted = deps.prefetch.wanted(deps.consumer.prefetch, leased, asyncio.get_running_loop().time())
            if deps.full:
                wanted = 0
            if wanted != deps.consumer.prefetch and not deps.draining:
                logger.debug("prefetch", extra={"wanted": wanted, "leased": leased})
                await deps.consumer.set_prefetch(wanted)

    def _give_back(self, waiting: Sequence[Holding]) -> None:
        for holding in waiting:
            if not holding.started:
                self._deps.consumer.give_back(holding.delivery)

    async def _write_log(self) -> None:
        lines = self._deps.logbook.take()
        try:
            if lines:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._deps.logbook.write, lines)
        except StoreUnavailable:
            for line in lines:
                self._deps.logbook.add(line)
        except Exception:
            # One line that cannot be kept must not end this loop, and with it the log of every task.
            logger.exception("log lines lost", extra={"lines": len(lines)})

    async def _claim(self, request: ClaimRequest) -> ClaimAnswer:
        answer = await self._write(request)
        assert isinstance(answer, ClaimAnswer)
        return answer

    async def _record(self, request: RecordRequest) -> Recorded:
        answer = await self._write(request)
        assert isinstance(answer, Recorded)
        return answer

    async def _write(self, request: Request) -> Answer:
        while True:
            try:
                return await self._journal.submit(request)
            except StoreBusy as error:
                logger.info("stream is locked", extra={"reason": str(error)})
                await asyncio.sleep(LOCKED_PAUSE_SECONDS)

    async def _until_available(
        self, write: Callable[[Sequence[Request]], list[Answer | Exception]], requests: Sequence[Request]
    ) -> list[Answer | Exception]:
        """Write in a thread, again and again while the database is away."""
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, write, requests)
            except (StoreUnavailable, SchemaMissing) as error:  # tables are gone while a backup is being restored
                logger.warning("database away", extra={"reason": str(error)})
                await asyncio.sleep(DATABASE_PAUSE_SECONDS)
            except Exception as error:
                if len(requests) == 1:
                    return [error]
                # One of many is at fault; the others must not pay for it.
                return [(await self._until_available(write, [request]))[0] for request in requests]
