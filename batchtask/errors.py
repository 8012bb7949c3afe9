"""All errors a caller may meet, cut by what the caller should do.

::

    BatchTaskError
    ├─ PublishError  → PublishUnconfirmed  (may have arrived: publish again with the same task id)
    │                  PublishReturned     (no queue takes it: run `batchtask migrate`, then publish again)
    ├─ SubmitError   → UnknownTask · InvalidParameters · PayloadTooLarge · PayloadUnwritable · InvalidSchedule
    │                  ScheduleExists
    │                                                                       (refused before publishing: mend the call)
    ├─ MessageError  → MalformedMessage · UnknownMessage                    (poison: dead-letter, never retry)
    ├─ StoreError    → WrongExpectedVersion (reload, decide again) · LeaseLost (stop at once, record nothing)
    │                  StoreUnavailable (the database does not answer: try again) → StoreBusy (a lock is in the way)
    │                  TaskNotFound
    │                  ScheduleNotFound · WorkerNotFound · UserNotFound · TokenNotFound
    ├─ SecretUnreadable                                                     (enter the password anew)
    └─ SettingsError · TopologyMismatch · SchemaMissing · BrokerUnavailable  (stop; a human must act)

Each error keeps what was seen in fields and builds its one sentence from them; all fields go to
`super().__init__`, so an error survives pickling.
"""

from __future__ import annotations

from collections.abc import Sequence


class BatchTaskError(Exception):
    """Base of every error raised on purpose by this distribution."""


class PublishError(BatchTaskError):
    """The broker did not take responsibility for a message."""


class PublishUnconfirmed(PublishError):
    """No confirm came in time, or the broker refused; the message may have arrived all the same."""

    def __init__(self, task_id: str, cause: str) -> None:
        super().__init__(task_id, cause)
        self.task_id = task_id
        self.cause = cause

    def __str__(self) -> str:
        return (
            f"what was asked of task {self.task_id} was not confirmed by the broker ({self.cause}); "
            "ask again with the same task_id: that is harmless if it did arrive"
        )


class PublishReturned(PublishError):
    """The broker has no queue for the message; nothing was queued."""

    def __init__(self, task_id: str, exchange: str, routing_key: str) -> None:
        super().__init__(task_id, exchange, routing_key)
        self.task_id = task_id
        self.exchange = exchange
        self.routing_key = routing_key

    def __str__(self) -> str:
        return (
            f"task {self.task_id} was returned: no queue is bound to exchange {self.exchange!r} "
            f"for {self.routing_key!r}; run `batchtask migrate` against this broker, then ask again"
        )


class SubmitError(BatchTaskError):
    """A submission was refused before anything was published."""


class UnknownTask(SubmitError):
    """No installed distribution defines a task of this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = tuple(known)

    def __str__(self) -> str:
        return (
            f"unknown task {self.name!r}; installed tasks: {', '.join(self.known) or 'none'}. "
            "Install the package that defines it, or correct the name"
        )


class InvalidParameters(SubmitError):
    """Parameters do not fit the schema of the task's definition."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return f"parameters of task {self.name!r} do not fit: {self.problem}"


class PayloadTooLarge(SubmitError):
    """Parameters are too large for a message and no payload store is configured."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return (
            f"parameters take {self.size_bytes} bytes, a message holds {self.limit_bytes}; "
            "set BATCHTASK_PAYLOAD_URL to a folder or bucket that workers can read too"
        )


class PayloadUnwritable(SubmitError):
    """Large parameters could not be put into the payload store; nothing was published."""

    def __init__(self, reference: str, cause: str) -> None:
        super().__init__(reference, cause)
        self.reference = reference
        self.cause = cause

    def __str__(self) -> str:
        return f"the parameters cannot be written to {self.reference} ({self.cause}); check BATCHTASK_PAYLOAD_URL"


class InvalidSchedule(SubmitError):
    """A schedule that has no ticks: its cron expression or its time zone cannot be read."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class ScheduleExists(SubmitError):
    """There is a schedule of this name already."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"a schedule {self.name!r} is there already; remove it first, or choose another name"


class MessageError(BatchTaskError):
    """A message that must be dead-lettered: it will never be understood by trying again."""

    def __init__(self, reason: str, task_id: str | None = None) -> None:
        super().__init__(reason, task_id)
        self.reason = reason
        self.task_id = task_id

    def __str__(self) -> str:
        return self.reason


class MalformedMessage(MessageError):
    """Not an envelope of ours: broken JSON, a missing attribute, a value of the wrong type."""


class UnknownMessage(MessageError):
    """A well-formed envelope of a type or version that this release does not know."""


class StoreError(BatchTaskError):
    """The event store refused."""


class WrongExpectedVersion(StoreError):
    """Another writer was first; nothing was written. Reload and decide again."""

    def __init__(self, task_id: str, expected_version: int) -> None:
        super().__init__(task_id, expected_version)
        self.task_id = task_id
        self.expected_version = expected_version

    def __str__(self) -> str:
        return f"stream {self.task_id} is no longer at version {self.expected_version}; reload and decide again"


class LeaseLost(StoreError):
    """A higher fence was handed out: somebody else works on the task. Stop at once, record nothing."""

    def __init__(self, task_id: str, fence: int) -> None:
        super().__init__(task_id, fence)
        self.task_id = task_id
        self.fence = fence

    def __str__(self) -> str:
        return f"fence {self.fence} of task {self.task_id} is not the current one; nothing was recorded"


class StoreUnavailable(StoreError):
    """The database does not answer. Nothing is known about the write: try again."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"the database does not answer ({self.cause}); check BATCHTASK_DATABASE_URL and that the server runs"


class StoreBusy(StoreUnavailable):
    """Another transaction has locked what is wanted, for longer than one cares to wait. Nothing was written."""

    def __str__(self) -> str:
        return f"another transaction is in the way ({self.cause}); try again"


class TaskNotFound(StoreError):
    """No stream of this id exists."""

    def __init__(self, task_id: str) -> None:
        super().__init__(task_id)
        self.task_id = task_id

    def __str__(self) -> str:
        return f"no task {self.task_id} is known; check the id, or look at `batchtask status`"


class ScheduleNotFound(StoreError):
    """No schedule of this name exists."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = tuple(known)

    def __str__(self) -> str:
        return f"no schedule {self.name!r} is known; there are: {', '.join(self.known) or 'none'}"


class WorkerNotFound(StoreError):
    """No worker of this name is there."""

    def __init__(self, worker: str) -> None:
        super().__init__(worker)
        self.worker = worker

    def __str__(self) -> str:
        return f"no worker {self.worker!r} is there; `batchtask workers` lists those that are"


class UserNotFound(StoreError):
    """No user of the CRM has this login name, or they are retired or wait for approval."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no user {self.name!r} may log in: check the login name, and that the user is not retired"


class TokenNotFound(StoreError):
    """No service token of this id exists."""

    def __init__(self, token_id: int) -> None:
        super().__init__(token_id)
        self.token_id = token_id

    def __str__(self) -> str:
        return f"no service token {self.token_id} is known; `batchtask user tokens` lists all"


class SecretUnreadable(BatchTaskError):
    """A stored password cannot be decrypted."""

    def __str__(self) -> str:
        return (
            "a stored password cannot be decrypted with the keys in BATCHTASK_SECRET_KEYS: "
            "add the key it was sealed with, or enter the password anew"
        )


class SettingsError(BatchTaskError):
    """Settings are wrong; all problems are told together."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "; ".join(self.problems)


class TopologyMismatch(BatchTaskError):
    """The broker holds a queue or exchange that differs from ours."""

    def __init__(self, name: str, seen: str) -> None:
        super().__init__(name, seen)
        self.name = name
        self.seen = seen

    def __str__(self) -> str:
        return (
            f"{self.name!r} on the broker differs from what this release declares ({self.seen}); "
            "move its messages away and delete it, or point BATCHTASK_AMQP_URL at another virtual host"
        )


class SchemaMissing(BatchTaskError):
    """The database lacks our tables, or has those of another release."""

    def __init__(self, seen: str, wanted: str) -> None:
        super().__init__(seen, wanted)
        self.seen = seen
        self.wanted = wanted

    def __str__(self) -> str:
        return f"the database schema is at {self.seen}, this release needs {self.wanted}; run `batchtask migrate`"


class BrokerUnavailable(BatchTaskError):
    """The broker cannot be reached, refuses the login, or is too old."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause, remedy)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"no usable broker: {self.cause}; {self.remedy}"
