"""`Idempotency-Key`: a submission that is sent twice is one task, and a key is used for one submission.

https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header: the key makes the task's id, so two
that are sent at once meet in one stream. Whoever came later is told whether it asked for the same.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from batchtask.definitions import Registry
from batchtask.errors import MalformedMessage
from batchtask.events import RecordedEvent, TaskSubmitted
from batchtask.http.callers import Caller
from batchtask.http.problems import BadRequest, Unprocessable
from batchtask.http.readable import RowReader
from batchtask.identifiers import TaskId, keyed_task_id
from batchtask.parameters import checked_parameters
from batchtask.payloads import PayloadStore
from producer.task_request import TaskRequest

LONGEST_KEY = 255


def keyed_id(caller: Caller, key: str) -> TaskId:
    """Make the task id that a caller's key stands for; other callers' keys are other keys.

    Raises:
        BadRequest: It is no key.
    """
    plain = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not (0 < len(plain) <= LONGEST_KEY and plain.isascii() and plain.isprintable()):
        raise BadRequest(f"`Idempotency-Key` has 1 to {LONGEST_KEY} printable ASCII characters, such as a UUID")
    return keyed_task_id(msgspec.json.encode(["Idempotency-Key", caller.associate_id, plain]).decode())


class Repetitions:
    """Compares submissions with what was submitted under their ids.

    Args:
        rows: Reads what was submitted.
        registry: The definitions.
        payloads: Where large parameters lie.
    """

    def __init__(self, rows: RowReader, registry: Registry, payloads: PayloadStore) -> None:
        self._rows = rows
        self._registry = registry
        self._payloads = payloads

    async def is_there(self, request: TaskRequest) -> bool:
        """Tell whether the same was submitted before; False when nothing was, as far as is recorded by now.

        Raises:
            Unprocessable: Something else was.
            UnknownTask, InvalidParameters: The request is none, and something was submitted under its id.
        """
        first = await self._rows.submission(request.task_id)
        if first is None:
            return False
        if not await asyncio.to_thread(self._same, first, request):
            raise Unprocessable(
                "this `Idempotency-Key` was used for another submission: send what was sent then, or use a new key"
            )
        return True

    def _same(self, first: RecordedEvent, request: TaskRequest) -> bool:
        before = first.body
        assert isinstance(before, TaskSubmitted)
        # A delay counts from the submission, and that was then.
        wanted = (request.name, request.owner, request.description, request.starting_at(first.occurred_at))
        if (before.name, before.owner, before.description, before.start_at) != wanted:
            return False
        return self._parameters(before) == checked_parameters(self._registry[request.name], request.parameters)

    def _parameters(self, before: TaskSubmitted) -> dict[str, Any] | None:
        if before.payload_ref is None:
            return before.parameters
        try:
            return self._payloads.fetch(before.payload_ref)
        except MalformedMessage:
            return None
