"""What every attempt needs, put together once in `service`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from batchtask.broker import Consumer
from batchtask.definitions import Registry
from batchtask.identifiers import TaskId
from batchtask.settings import Settings
from worker.announcer import Announcer
from worker.children.pool import ChildPool
from worker.claims import ClaimRequest
from worker.lease import ClaimAnswer
from worker.logbook import Logbook
from worker.prefetch import PrefetchPolicy
from worker.records import Recorded, RecordRequest
from worker.running import Holding, Running
from worker.solitude import Solitude


@dataclass
class Deps:
    """The worker's parts as an attempt sees them."""

    settings: Settings
    registry: Registry
    consumer: Consumer
    announcer: Announcer
    pool: ChildPool
    logbook: Logbook
    now: Callable[[], datetime]  #: by the database's clock
    claim: Callable[[ClaimRequest], Awaitable[ClaimAnswer]]  #: batched; waits while the database is away
    record: Callable[[RecordRequest], Awaitable[Recorded]]  #: batched; raises `LeaseLost`
    prefetch: PrefetchPolicy
    held: frozenset[str]  #: names of the tasks whose messages stay unacknowledged while they run
    adjust_prefetch: Callable[[], Awaitable[None]]  #: to what fits besides the leased tasks
    slots: asyncio.Semaphore  #: a task is claimed only when it can begin at once
    holding: dict[tuple[TaskId, str], Holding] = field(default_factory=dict)  #: by task and message
    solitude: Solitude = field(init=False)  #: for last chances
    running: dict[TaskId, Running] = field(default_factory=dict)
    leased: set[Holding] = field(default_factory=set)  #: have a slot, and their message is acknowledged already
    overloaded: bool = False  #: the machine is too busy: nothing more is started
    paused: bool = False  #: somebody said so: nothing more is started
    draining: bool = False  #: told to stop: nothing more is claimed
    stopping: bool = False  #: out of patience: what runs is interrupted

    def __post_init__(self) -> None:
        self.solitude = Solitude(self.holding)

    @property
    def closed(self) -> bool:
        """Whether nothing at all may begin."""
        return self.overloaded or self.paused

    @property
    def full(self) -> bool:
        """Whether nothing more may begin, whatever slots are free; a last chance may all the same."""
        return self.closed or self.solitude.sought
