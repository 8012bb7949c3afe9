"""Ids: time-ordered, distinct types, so that a task's id is never passed where a batch's is meant."""

from __future__ import annotations

import os
import time
from typing import NewType
from uuid import UUID

TaskId = NewType("TaskId", UUID)
BatchId = NewType("BatchId", UUID)


def uuid7() -> UUID:
    """Make a UUID version 7: 48 bits of Unix milliseconds, then random bits.

    Time-ordered ids keep the event store's primary key growing at one end.
    Layout: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)


def new_task_id() -> TaskId:
    return TaskId(uuid7())
