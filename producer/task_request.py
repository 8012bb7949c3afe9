"""What a caller asks for: a task, now or later, perhaps asked for twice. Pure; `submission` checks and encodes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from batchtask.errors import InvalidParameters
from batchtask.identifiers import BatchId, TaskId, keyed_task_id, new_task_id
from batchtask.messages import require_storable_time

_NOT_CHOSEN = TaskId(UUID(int=0))


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """One task to submit. Its id is chosen here, so submitting the same request again makes no second task.

    Raises:
        InvalidParameters: `deduplication_key` is no key, or contradicts `task_id`.
    """

    name: str  #: of an installed task definition
    parameters: Mapping[str, Any] = field(default_factory=dict)
    owner: int = 0  #: associate id of the user who asks; 0 = system task
    description: str = ""  #: what the user reads beside the progress bar
    request: str = ""
    database_tag: str = ""
    details_table: int | None = None
    details_record: int | None = None
    batch_id: BatchId | None = None
    correlation_id: UUID | None = None
    traceparent: str | None = None  #: W3C trace context of the caller
    start_at: datetime | None = None  #: aware; not before this time. None, or in the past = as soon as possible
    delay_seconds: float | None = None  #: the same, counted from the submission
    #: Submissions with one key, such as the id of the form that was sent, are one task, for ever, and all return its
    #: id: the first to be recorded counts, whole. With another name, owner or database tag it is another key.
    deduplication_key: str | None = None
    task_id: TaskId = _NOT_CHOSEN  #: made here, from the key if there is one; two requests with one id must be equal

    def __post_init__(self) -> None:
        made = new_task_id() if self.deduplication_key is None else self._keyed_id(self.deduplication_key)
        if self.task_id == _NOT_CHOSEN:
            object.__setattr__(self, "task_id", made)
        elif self.deduplication_key is not None and self.task_id != made:
            raise InvalidParameters(self.name, "`deduplication_key` makes the task's id; leave out `task_id`")

    def starting_at(self, now: datetime) -> datetime | None:
        """When the task may start; None for at once.

        Raises:
            InvalidParameters: Says which of the two fields does not fit, and why.
        """
        start_at = self.start_at
        if self.delay_seconds is not None:
            if start_at is not None:
                raise InvalidParameters(self.name, "`start_at` and `delay_seconds` exclude each other; give one")
            start_at = self._delayed(now, self.delay_seconds)
        if start_at is None:
            return None
        if not isinstance(start_at, datetime) or start_at.tzinfo is None:
            raise InvalidParameters(self.name, f"`start_at` must be a time with a time zone, not {start_at!r}")
        if start_at <= now:
            return None
        try:
            require_storable_time(start_at)
        except ValueError as error:
            raise InvalidParameters(self.name, f"the task would start too late: {error}") from error
        return start_at

    def _delayed(self, now: datetime, seconds: float) -> datetime:
        try:
            if seconds >= 0:
                return now + timedelta(seconds=seconds)
        except OverflowError:
            raise InvalidParameters(self.name, f"`delay_seconds` of {seconds!r} is too long") from None
        except (TypeError, ValueError):
            pass
        raise InvalidParameters(self.name, f"`delay_seconds` must be a number, 0 or more, not {seconds!r}")

    def _keyed_id(self, key: object) -> TaskId:
        if not isinstance(key, str) or not key:
            raise InvalidParameters(self.name, f"`deduplication_key` must be a text that is not empty, not {key!r}")
        try:
            # As JSON the parts cannot run into one another.
            scope = msgspec.json.encode([self.name, self.owner, self.database_tag, key]).decode()
        except (TypeError, ValueError) as error:
            raise InvalidParameters(self.name, f"`deduplication_key` is not expressible as JSON: {error}") from error
        return keyed_task_id(scope)
