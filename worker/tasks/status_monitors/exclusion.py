"""Two regenerations of one thing at once would each insert what they both find missing: one of them waits."""

from __future__ import annotations

import enum
import time

from sqlalchemy import text
from sqlalchemy.orm import Session

from batchtask.definitions import TaskContext

_PAUSE_SECONDS = 0.2  # before asking again; a guess

_TRY = text("SELECT pg_try_advisory_xact_lock(:work, :number)")


class Work(enum.IntEnum):
    """First halves of the keys of advisory locks; the second is the number of what is regenerated."""

    MONITOR = 7243198
    COUNTERS = 7243197


def wait_for_turn(session: Session, context: TaskContext, work: Work, number: int) -> None:
    """Wait until nobody else does this work, and keep it until the transaction ends.

    Asked again and again, because somebody who waits for a lock does not hear that he is to stop.

    Raises:
        CancelledByRequest: Somebody asked for a stop meanwhile.
    """
    while not session.execute(_TRY, {"work": work, "number": number}).scalar_one():
        context.check_cancelled()
        time.sleep(_PAUSE_SECONDS)
