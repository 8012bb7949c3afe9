"""Running one task to its end: its parameters, wherever they are, and its code, under the alarm of its soft limit."""

from __future__ import annotations

from batchtask.answers import Answer, answer_of
from batchtask.definitions import Registry, TaskDefinition
from batchtask.errors import UnknownTask
from batchtask.outcomes import Failed
from batchtask.payloads import PayloadStore
from worker.children.alarm import Alarm
from worker.children.context import ChildContext
from worker.children.frames import Run


def execute(registry: Registry, payloads: PayloadStore, run: Run, context: ChildContext, alarm: Alarm) -> Answer:
    """Run one task to its end.

    Whatever task code raises becomes an outcome, `Failed` in most cases; only a signal can end the process.
    """
    try:
        definition = registry[run.name]
    except UnknownTask as error:
        return Failed(message=str(error))
    with context:
        return answer_of(definition, lambda: _call(definition, payloads, run, context, alarm))


def _call(
    definition: TaskDefinition, payloads: PayloadStore, run: Run, context: ChildContext, alarm: Alarm
) -> object:
    given = run.parameters if run.payload_ref is None else payloads.fetch(run.payload_ref)
    parameters = definition.read_parameters(given)
    arguments = (context, parameters) if definition.takes_parameters else (context,)
    return alarm.call(run, definition.function, *arguments)
