"""One attempt while its task code runs: what may still happen to it from outside."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass, field

from batchtask.broker import Delivery
from worker.children.child import Child
from worker.children.frames import Run
from worker.lease import Lease


class Stop(enum.Enum):
    """Why an attempt was ended from outside."""

    TIME_LIMIT = "time limit"
    MEMORY_LIMIT = "memory limit"
    CANCEL = "cancel"
    SHUTDOWN = "shutdown"
    LEASE_LOST = "lease lost"


@dataclass(eq=False)
class Holding:
    """A message that this worker has in hand, from its arrival until it is settled."""

    message_id: str
    delivery: Delivery  #: the newest: after a reconnect the same message comes again, and only that can be settled
    arrived_at: float  #: loop time
    started: bool = False  #: it has its slot
    last_chance: bool = False  #: its task is to run alone
    cancel_hinted: bool = False  #: perhaps somebody asked for a stop before the claim was answered


@dataclass
class Running:
    """An attempt, from its claim until it is recorded."""

    lease: Lease
    run: Run
    child: Child | None = None
    stopped: Stop | None = None
    cancel_told: bool = False  #: to the task code
    reports: set[asyncio.Task[None]] = field(default_factory=set)  #: being recorded; kept, or they would be collected
    started_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def stop(self, why: Stop) -> None:
        """Kill the process; the first reason counts."""
        self.stopped = self.stopped or why
        if self.child is not None:
            self.child.kill()

    def tell_cancel(self) -> bool:
        """Let the task code know that somebody wants it to stop; True the first time it is there to be told."""
        if self.cancel_told or self.child is None:
            return False
        self.cancel_told = True
        self.child.cancel(self.run)
        return True

    def tell_time_is_short(self, interrupt: bool) -> None:
        """Let the task code know that its soft limit has passed; `interrupt` raises `TimeIsShort` in it."""
        if self.child is not None:
            self.child.tell_time_is_short(self.run, interrupt=interrupt)
