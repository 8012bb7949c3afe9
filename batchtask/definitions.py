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

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "batchtask.tasks"


class CancellationBehaviour(enum.IntEnum):
    """Whether a user may stop the task; numbers and names as in the original's API."""

    CanCancel = 0
    CancelWithWarning = 1
    CannotCancel = 2


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

    def progress(self, percent: float, text: str = "") -> None:
        """Tell how far the work is: `percent` of the whole, 0 to 100, and the current stage in words.

        Cheap to call for every record: the worker keeps at most one report a second.
        """

    def connect(self) -> AbstractContextManager[Connection]:
        """Open a connection to the CRM database; commit is the caller's."""

    def result_path(self, name: str) -> Path:
        """Say where to write the result file `name`. Write beside it and rename: a reader never sees a half."""


class CancelledByRequest(Exception):
    """Raised by `TaskContext.check_cancelled`; let it pass through."""


class TaskFailure(Exception):
    """Raised by task code for an expected failure: its text is shown to the user, without a traceback."""


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
    is_multi_pass: bool = False  #: the worker calls the function again and again
    start_interval_seconds: int = 0  #: least time between two starts; runs never overlap
    minimum_sleep_seconds: int = 0  #: least pause between the end of a run and the next start
    auto_restart_count: int = 0  #: restarts of the whole task; -1 = for ever
    cancellation: CancellationBehaviour = CancellationBehaviour.CanCancel
    version: str = ""  #: of the distribution that holds the code

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
            raise InvalidParameters(self.name, str(error).replace("`$.", "`")) from error


def task(
    name: str,
    *,
    timeout: int = 0,
    description: str = "",
    is_multi_pass: bool = False,
    start_interval: int = 0,
    minimum_sleep_time: int = 0,
    auto_restart_count: int = 0,
    cancellation: CancellationBehaviour = CancellationBehaviour.CanCancel,
) -> Callable[[TaskFunction], TaskDefinition]:
    """Make a task definition of a function `(context, parameters)`.

    The annotation of the second argument is the parameters' schema: a `msgspec.Struct`. Times are in seconds.
    A function with only `context` takes no parameters.

    Raises:
        ValueError: A time is negative, or more than the original's columns hold.
    """
    for what, seconds in {
        "timeout": timeout,
        "start_interval": start_interval,
        "minimum_sleep_time": minimum_sleep_time,
    }.items():
        if not 0 <= seconds < 2**31:
            raise ValueError(f"{what} of task {name!r} must be from 0 to {2**31 - 1} seconds, not {seconds}")

    def define(function: TaskFunction) -> TaskDefinition:
        return TaskDefinition(
            name=name,
            function=function,
            parameters_type=_parameters_type(function),
            description=description or (inspect.getdoc(function) or "").partition("\n")[0],
            timeout_seconds=timeout,
            is_multi_pass=is_multi_pass,
            start_interval_seconds=start_interval,
            minimum_sleep_seconds=minimum_sleep_time,
            auto_restart_count=auto_restart_count,
            cancellation=cancellation,
        )

    return define


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
        """Find every definition that an installed distribution offers."""
        return cls(filter(None, map(_load, entry_points(group=ENTRY_POINT_GROUP))))

    def __getitem__(self, name: str) -> TaskDefinition:
        try:
            return self._definitions[name]
        except KeyError:
            raise UnknownTask(name, sorted(self._definitions)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[TaskDefinition]:
        return iter(self._definitions.values())


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
