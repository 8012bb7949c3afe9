"""What can be submitted, through the modern API: the installed definitions and what each takes."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from batchtask.definitions import CancellationBehaviour, Registry, TaskDefinition
from batchtask.http.views import Cancellation
from projections.task_views import CANCELLATIONS


class DefinitionView(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of task."""

    name: str
    description: str  #: one sentence
    cancellation: Cancellation
    timeout: int  #: seconds that one attempt may take; 0 = no limit of its own
    administrators_only: bool  #: nobody else may start it
    parameters_schema: dict[str, Any]  #: JSON schema of the parameters; texts are read as numbers where those fit


class DefinitionList(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, by name."""

    definitions: list[DefinitionView]


class DefinitionReads(Controller):
    """What can be submitted."""

    path = "/api/v2"
    tags = ("definitions",)

    @get("/definitions", sync_to_thread=False)
    def definitions(self, registry: NamedDependency[Registry]) -> DefinitionList:
        """List the definitions that are installed here, each with the JSON schema of its parameters."""
        by_name = sorted(registry, key=lambda definition: definition.name)
        return DefinitionList(definitions=[_view(definition) for definition in by_name])


def _view(definition: TaskDefinition) -> DefinitionView:
    return DefinitionView(
        name=definition.name,
        description=definition.description,
        cancellation=CANCELLATIONS[CancellationBehaviour(definition.cancellation)],
        timeout=definition.timeout_seconds,
        administrators_only=definition.administrators_only,
        parameters_schema=parameters_schema(definition),
    )


def parameters_schema(definition: TaskDefinition) -> dict[str, Any]:
    """Make the JSON schema of a definition's parameters; what msgspec cannot describe takes anything."""
    return msgspec.json.schema(definition.parameters_type, schema_hook=lambda _: {})
