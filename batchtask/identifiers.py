"""Ids: time-ordered, distinct types, so that a task's id is never passed where a batch's is meant."""

from __future__ import annotations

import os
import threading
import time
from typing import NewType
from uuid import UUID, uuid5

TaskId = NewType("TaskId", UUID)
BatchId = NewType("BatchId", UUID)

#: Of ids that are made from deduplication keys; never changed, or a key would name a second task.
KEYS = UUID("33c53003-bb9f-4bd7-8dc6-29fc5660aff4")

#: Version of the UUIDs that are made anew for each submission.
OF_ONE_SUBMISSION = 7

_lock = threading.Lock()
_last = 0  #: milliseconds and counter of the newest id, 60 bits


def uuid7() -> UUID:
    """Make a UUID version 7: 48 bits of Unix milliseconds, a 12-bit counter, 62 random bits.

    Ids of one process rise, also within a millisecond and when the clock is set back, so tasks are numbered in the
    order in which they were asked for. Time-ordered ids keep the event store's primary key growing at one end.
    Layout and counter: https://www.rfc-editor.org/rfc/rfc9562#name-monotonicity-and-counters
    """
    global _last  # noqa: PLW0603 - the order is one of the whole process
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000 << 12)
        milliseconds, counter = _last >> 12, _last & 0xFFF
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random)


def new_task_id() -> TaskId:
    return TaskId(uuid7())


def keyed_task_id(key: str) -> TaskId:
    """Make the id of a key, always the same one: a UUID version 5, so that it can be told from those made for one."""
    return TaskId(uuid5(KEYS, key))


def may_be_shared(task_id: UUID) -> bool:
    """Whether several submissions with different content may carry an id: it was not made for one alone."""
    return task_id.version != OF_ONE_SUBMISSION
