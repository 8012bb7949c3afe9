"""Task definitions: what a task is called, what it takes, how long it may run, and the code that does it.

A plug-in is any installed distribution with an entry point in the group `batchtask.tasks`; the value names
a function made by `@task`. Loading a definition must stay light, because the web tier does it to validate
a submission: import heavy libraries inside the function, not at the top of its module.
"""

from __future__ import annotations

import enum
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_type_hints

import msgspec

from batchtask.errors import InvalidParameters, UnknownTask
from batchtask.identifiers import TaskId
from batchtask.outcomes import Outcome
from batchtask.parameter_faults import told
from batchtask.retrying import DEFAULT_RETRY, UNLIMITED, RetryPolicy

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from batchtask.sealing import Sealer

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "batchtask.tasks"
OUR_PACKAGE = "batchtask"


class CancellationBehaviour(enum.IntEnum):
    """Whether a user may stop the task; numbers and names as in the original's API."""

    CanCancel = 0
    CancelWithWarning = 1
    CannotCancel = 2


class OnSoftLimit(enum.Enum):
    """How task code is told that its soft limit has passed."""

    FLAG = "flag"  #: `TaskContext.time_is_short` becomes true
    RAISE = "raise"  #: `TimeIsShort` is raised in the middle of whatever it does


class Acknowledge(enum.Enum):
    """When the message of a task is acknowledged; see docs/architecture.md."""

    AUTO = "auto"  #: held if the hard limit fits into the broker's acknowledgement timeout, else leased
    HOLD = "hold"  #: after the outcome: a dead worker is noticed at once
    LEASE = "lease"  #: after the claim: may run for days; a dead worker is noticed when its lease runs out


class TaskContext(Protocol):
    """What task code may ask of the world while it runs."""

    @property
    def task_id(self) -> TaskId: ...

    @property
    def attempt(self) -> int:
        """From 1; rises with every try that is counted."""

    @property
    def owner(self) -> int:
        """Associate id of the user who submitted; 0 for a system task."""

    @property
    def traceparent(self) -> str | None:
        """W3C trace context of whoever submitted; None when they sent none."""

    @property
    def log(self) -> logging.Logger:
        """Lines written here are kept with the task."""

    @property
    def cancel_requested(self) -> bool:
        """True once somebody asked for the task to stop; look at every safe point."""

    def check_cancelled(self) -> None:
        """Raise `CancelledByRequest` if a stop was asked for; the attempt then ends as cancelled."""

    @property
    def time_is_short(self) -> bool:
        """True once the soft limit has passed: save what there is and return; the hard limit kills."""

    def progress(self, percent: float, text: str = "") -> None:
        """Tell how far the work is: `percent` of the whole, 0 to 100, and the current stage in words.

        Cheap to call for every record: the worker keeps at most one report a second.
        """

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a connection to the CRM database; commit is the caller's."""

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """What `save_checkpoint` kept last, in this attempt or an earlier one; None = start from the beginning."""

    def save_checkpoint(self, data: Mapping[str, Any]) -> None:
        """Keep how far the work is, as plain JSON values; within `transaction` it commits together with the rows.

        Raises:
            LeaseLost: Somebody else works on the task by now; nothing was kept. Let it pass through.
        """

    def transaction(self) -> AbstractContextManager[Session]:
        """Open a session that commits at the end of the block, under the fence; an error rolls it back.

        What is written through it takes effect once, however often the task is killed, if a checkpoint saved in the
        same block lets the next attempt leave it out.

        Raises:
            LeaseLost: At the end of the block: somebody else works on the task by now; nothing was committed.
        """

    def effect(
        self,
        key: str,
        perform: Callable[[], str | None],
        *,
        ask: Callable[[], str | None] | None = None,
        not_done: tuple[type[Exception], ...] = (),
    ) -> str:
        """Do something outside the database, such as sending a mail, that must not be done again by another attempt.

        The ledger keeps the intent before and the outcome after it. A later attempt gets the outcome and does not
        call `perform`. If only the intent is there, a process died in between: `ask` finds out.

        Args:
            key: Names the effect within the task, the same in every attempt.
            perform: Does it, and returns what to remember.
            ask: Asks the other side whether it was done: what to remember if it was, None if it was not.
            not_done: Errors of `perform` that prove that nothing was done. They pass through, and a later call
                performs it. Any other error leaves it in doubt, as a kill does.

        Returns:
            What was remembered; "" for nothing.

        Raises:
            EffectInDoubt: It may have been done, and there is no `ask`.
            LeaseLost: Somebody else works on the task by now; nothing was done.
        """

    @property
    def archive_dir(self) -> Path:
        """Folder of the CRM's document archive."""

    @property
    def sealer(self) -> Sealer:
        """Encrypts and decrypts passwords that the database keeps."""

    def result_path(self, name: str) -> Path:
        """Say where to write the result file `name`. Write beside it and rename: a reader never sees a half."""


class TimeIsShort(Exception):
    """Raised in task code when its soft limit has passed, if its definition asks for that; save and return."""


class CancelledByRequest(Exception):
    """Raised by `TaskContext.check_cancelled`; let it pass through."""


class TaskFailure(Exception):
    """Raised by task code for an expected failure: its text is shown to the user, without a traceback."""


class EffectInDoubt(TaskFailure):
    """An earlier attempt died while it did something outside, and nobody can tell whether it was done."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return (
            f"It is not known whether {self.key!r} was done: an earlier attempt was stopped in the middle of it. "
            "Find out, then run the task again with or without it."
        )


class NoParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of a task that takes none."""


TaskFunction = Callable[..., Outcome | str | None]


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """One kind of task; its fields fill `crm7.batchtaskdefinition`."""

    name: str
    function: TaskFunction = field(repr=False)
    parameters_type: type[Any] = NoParameters
    description: str = ""
    timeout_seconds: int = 0  #: hard limit of one attempt; 0 = none of its own
    soft_timeout_seconds: int = 0  #: the code is told when this has passed; 0 = it is not
    on_soft_limit: OnSoftLimit = OnSoftLimit.FLAG  #: how it is told
    memory_limit_mb: int = 0  #: of the child and all it started; 0 = none of its own
    retry: RetryPolicy = DEFAULT_RETRY
    acknowledge: Acknowledge = Acknowledge.AUTO
    is_multi_pass: bool = False  #: the worker calls the function again and again
    start_interval_seconds: int = 0  #: least time between two starts; runs never overlap
    minimum_sleep_seconds: int = 0  #: least pause between the end of a run and the next start
    auto_restart_count: int = 0  #: further tries after an error, where `retry` names none; -1 = for ever
    cancellation: CancellationBehaviour = CancellationBehaviour.CanCancel
    cancellation_warning: str = ""  #: what a user is asked before it is cancelled, if that wants a warning
    administrators_only: bool = False  #: the web application lets nobody else start it
    version: str = ""  #: of the distribution that holds the code

    @property
    def exclusive(self) -> bool:
        """Runs never overlap, not even those of different tasks: they keep a distance in time."""
        return self.start_interval_seconds > 0 or self.minimum_sleep_seconds > 0

    @property
    def takes_parameters(self) -> bool:
        """False when the function takes the context only."""
        return self.parameters_type is not NoParameters

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Refuse parameters that do not fit.

        Raises:
            InvalidParameters: Names the field and what was expected.
        """
        self.read_parameters(parameters)

    def read_parameters(self, parameters: Mapping[str, Any]) -> Any:
        """Turn a mapping into the definition's own type. Text is read as a number where one is wanted.

        The original's parameters are a string-to-string dictionary, so `{"selection_id": "88"}` must do.
        """
        try:
            return msgspec.convert(dict(parameters), self.parameters_type, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidParameters(self.name, told(error, self.parameters_type)) from error


def task(
    name: str,
    *,
    timeout: int = 0,
    soft_timeout: int = 0,
    on_soft_limit: OnSoftLimit = OnSoftLimit.FLAG,
    memory_limit_mb: int = 0,
    retry: RetryPolicy | None = None,
    acknowledge: Acknowledge = Acknowledge.AUTO,
    description: str = "",
    is_multi_pass: bool = False,
    start_interval: int = 0,
    minimum_sleep_time: int = 0,
    auto_restart_count: int = 0,
    cancellation: CancellationBehaviour = CancellationBehaviour.CanCancel,
    cancellation_warning: str = "",
    administrators_only: bool = False,
) -> Callable[[TaskFunction], TaskDefinition]:
    """Make a task definition of a function `(context, parameters)`.

    The annotation of the second argument is the parameters' schema: a `msgspec.Struct`. Times are in seconds.
    A function with only `context` takes no parameters.

    Raises:
        ValueError: A number is negative, or more than the original's columns hold; or the limits contradict.
    """
    for what, number in {
        "timeout": timeout,
        "soft_timeout": soft_timeout,
        "memory_limit_mb": memory_limit_mb,
        "start_interval": start_interval,
        "minimum_sleep_time": minimum_sleep_time,
    }.items():
        if not 0 <= number < 2**31:
            raise ValueError(f"{what} of task {name!r} must be from 0 to {2**31 - 1}, not {number}")
    if timeout and soft_timeout >= timeout:
        raise ValueError(f"soft_timeout of task {name!r} must be less than its timeout of {timeout} s")
    if auto_restart_count < UNLIMITED:
        raise ValueError(f"auto_restart_count of task {name!r} must be 0 or more, or -1 for no limit")

    def define(function: TaskFunction) -> TaskDefinition:
        return TaskDefinition(
            name=name,
            function=function,
            parameters_type=_parameters_type(function),
            description=description or (inspect.getdoc(function) or "").partition("\n")[0],
            timeout_seconds=timeout,
            soft_timeout_seconds=soft_timeout,
            on_soft_limit=on_soft_limit,
            memory_limit_mb=memory_limit_mb,
            retry=retry or _restarts(auto_restart_count),
            acknowledge=acknowledge,
            is_multi_pass=is_multi_pass,
            start_interval_seconds=start_interval,
            minimum_sleep_seconds=minimum_sleep_time,
            auto_restart_count=auto_restart_count,
            cancellation=cancellation,
            cancellation_warning=cancellation_warning,
            administrators_only=administrators_only,
        )

    return define


def _restarts(count: int) -> RetryPolicy:
    """The policy that the original's `autoRestartCount` stands for."""
    return RetryPolicy(attempts=UNLIMITED if count == UNLIMITED else count + 1)


def _parameters_type(function: TaskFunction) -> type[Any]:
    arguments = list(inspect.signature(function).parameters)
    if len(arguments) < 2:
        return NoParameters
    hints = get_type_hints(function)
    found = hints.get(arguments[1], NoParameters)
    if not (isinstance(found, type) and issubclass(found, msgspec.Struct)):
        raise TypeError(f"annotate {arguments[1]!r} of task function {function.__name__!r} with a msgspec.Struct")
    return found


class Registry:
    """The task definitions that this process knows, by name."""

    def __init__(self, definitions: Iterable[TaskDefinition] = ()) -> None:
        self._definitions = {definition.name: definition for definition in definitions}

    @classmethod
    def installed(cls) -> Registry:
        """Find every definition that an installed distribution offers; of two with one name the first by package."""
        return cls(_unique(sorted(entry_points(group=ENTRY_POINT_GROUP), key=_package)))

    def __getitem__(self, name: str) -> TaskDefinition:
        try:
            return self._definitions[name]
        except KeyError:
            raise UnknownTask(name, sorted(self._definitions)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[TaskDefinition]:
        return iter(self._definitions.values())


def _package(entry_point: EntryPoint) -> tuple[bool, str, str]:
    """Order packages alike on all machines, ours first: nobody takes the place of a task of ours by accident."""
    package = entry_point.dist.name if entry_point.dist else ""
    return package != OUR_PACKAGE, package, entry_point.name


def _unique(found: Iterable[EntryPoint]) -> Iterator[TaskDefinition]:
    names: set[str] = set()
    for entry_point in found:
        definition = _load(entry_point)
        if definition is None:
            continue
        if definition.name in names:
            logger.error(
                "task is left out: another package has one of this name",
                extra={"task": definition.name, "entry_point": entry_point.value},
            )
            continue
        names.add(definition.name)
        yield definition


def _load(entry_point: EntryPoint) -> TaskDefinition | None:
    """Load one definition. A plug-in that cannot be imported must not take the other tasks down with it."""
    try:
        definition = entry_point.load()
    except Exception:
        logger.exception("task cannot be loaded", extra={"entry_point": entry_point.value})
        return None
    if not isinstance(definition, TaskDefinition):
        logger.error("entry point is no task: decorate it with @task", extra={"entry_point": entry_point.value})
        return None
    version = entry_point.dist.version if entry_point.dist else ""
    return TaskDefinition(**{**vars(definition), "version": version})
