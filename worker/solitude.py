"""Last chances run alone: a task that kills its worker once more then dies without company, and is set aside.

An attempt is a last chance if its next loss ends the task and a whole worker died under one before. Nobody knows
whether the task did that, or a neighbour. Such a claim is answered with `LastChance` and writes nothing; the attempt
waits here, its message held, and claims again when nothing else runs in its worker. So nothing is lost if the worker
dies meanwhile: whoever waits has begun nothing that could be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from batchtask.identifiers import TaskId
from worker.running import Holding

logger = logging.getLogger(__name__)

#: How long a last chance waits. The message is held meanwhile: less than the slack that `modes.can_hold` leaves. What
#: still runs then has losses to spare, or it would be alone itself: running beside it can set nobody aside but us.
WAIT_SECONDS = 45.0
#: Whoever runs alone for this long does not kill at once, and shall not keep a worker for itself for days. As long as
#: RabbitMQ's own acknowledgement timeout, so that tasks in hold mode end before.
ALONE_SECONDS = 1800.0
#: Pause between two looks at whether the others have ended; nobody looks while there is no last chance. A guess.
LOOK_SECONDS = 0.02

#: Stands in the stream of a task that could not wait longer.
CROWDED = "Waiting for a worker in which it can run alone, for workers died under it"


class Solitude:
    """Lets one last chance after the other run alone. One event loop.

    Args:
        holding: All messages that the worker has in hand.
        wait_seconds: How long a last chance waits for the others to end, and for its turn.
        alone_seconds: How long it keeps others from beginning.
    """

    def __init__(
        self,
        holding: Mapping[tuple[TaskId, str], Holding],
        *,
        wait_seconds: float = WAIT_SECONDS,
        alone_seconds: float = ALONE_SECONDS,
    ) -> None:
        self._holding = holding
        self._wait_seconds = wait_seconds
        self._alone_seconds = alone_seconds
        self._inside: list[Holding] = []  # the first runs alone, or is the next to do so

    @property
    def sought(self) -> bool:
        """Whether somebody runs alone or waits for that: nothing else may begin."""
        return bool(self._inside)

    def keeps_out(self, holding: Holding) -> bool:
        """Whether an attempt may not begin."""
        return self.sought and holding not in self._inside

    @asynccontextmanager
    async def alone(self, holding: Holding, gives_up: Callable[[], bool]) -> AsyncIterator[bool]:
        """Wait until nothing else runs, and keep others from beginning meanwhile and until the block ends.

        Gives True as well when others have not ended in time: nobody can wait for a task that runs for days. False
        when another last chance has the worker for itself for too long, or the caller gives up: try again later.
        """
        self._inside.append(holding)
        opening = None
        try:
            granted = await self._wait(holding, gives_up)
            if granted:
                opening = asyncio.get_running_loop().call_later(self._alone_seconds, self._leave, holding)
            else:
                self._leave(holding)
            yield granted
        finally:
            if opening is not None:
                opening.cancel()
            self._leave(holding)

    async def _wait(self, holding: Holding, gives_up: Callable[[], bool]) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wait_seconds
        while loop.time() < deadline and not gives_up():
            if self._inside[0] is holding and not self._others():
                return True
            await asyncio.sleep(LOOK_SECONDS)
        if gives_up() or self._inside[0] is not holding:
            return False
        logger.warning("last chance runs beside others", extra={"others": self._others()})
        return True

    def _others(self) -> int:
        """Attempts that are under way: from their slot on, until their message is settled."""
        return sum(one.started and one not in self._inside for one in self._holding.values())

    def _leave(self, holding: Holding) -> None:
        if holding in self._inside:
            self._inside.remove(holding)
