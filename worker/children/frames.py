"""What worker and child say to each other: length-prefixed MessagePack over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from batchtask.answers import Answer

LENGTH_BYTES = 4


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Worker → child: do this task."""

    task_id: UUID
    name: str
    parameters: dict[str, Any]
    payload_ref: str | None
    owner: int
    attempt: int
    fence: int = 1
    checkpoint: dict[str, Any] | None = None
    traceparent: str | None = None


class CancelRun(msgspec.Struct, frozen=True, tag="cancel"):
    """Worker → child: the task you run should stop at its next safe point."""

    task_id: UUID
    fence: int  #: of the attempt that is meant: the same child may run a later one


class TimeShort(msgspec.Struct, frozen=True, tag="time-short"):
    """Worker → child: the soft limit of the run has passed."""

    task_id: UUID
    fence: int
    interrupt: bool  #: raise `TimeIsShort`, and not only answer when asked


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Child → worker: I can take a task."""

    pid: int
    parent: int  #: the fork server


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Child → worker: this far."""

    percent: int
    text: str


class LogLine(msgspec.Struct, frozen=True, tag="log"):
    """Child → worker: a line for the task's log."""

    logged_at: float  #: Unix seconds
    level: int  #: as in `logging`
    text: str


class Appended(msgspec.Struct, frozen=True, tag="appended"):
    """Child → worker: I have appended to the task's stream; spares the worker a look at it."""

    version: int  #: of the event


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Child → worker: the task ended like this; I can take the next."""

    outcome: Answer


ToChild = Run | CancelRun | TimeShort
FromChild = Ready | Progress | LogLine | Appended | Done

_encoder = msgspec.msgpack.Encoder()


def encode(frame: ToChild | FromChild) -> bytes:
    body = _encoder.encode(frame)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class FrameReader:
    """Cuts a byte stream into frames; bytes may arrive in any pieces."""

    def __init__(self, frame_type: Any) -> None:
        self._decoder = msgspec.msgpack.Decoder(frame_type)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        self._buffer += data
        while len(self._buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if len(self._buffer) < end:
                return
            frame = self._decoder.decode(self._buffer[LENGTH_BYTES:end])
            del self._buffer[:end]
            yield frame
