"""Checking the parameters of a task, by its definition and by what the way to a worker carries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from batchtask.definitions import TaskDefinition
from batchtask.errors import InvalidParameters


def checked_parameters(definition: TaskDefinition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as a worker will read them, which is what must fit.

    Raises:
        InvalidParameters: Names the field that does not.
    """
    try:
        encoded = msgspec.json.encode(dict(given))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidParameters(definition.name, f"not expressible as JSON: {error}") from error
    parameters = msgspec.json.decode(encoded, type=dict[str, Any])
    definition.check_parameters(parameters)
    _require_portable(definition.name, parameters)
    require_storable(InvalidParameters, definition.name, parameters)
    return parameters


def require_storable(refusal: type[InvalidParameters], name: str, fields: Mapping[str, Any]) -> None:
    """Refuse text that PostgreSQL does not store, before a worker has done the work."""
    for field_name, value in fields.items():
        if _holds_nul(value):
            raise refusal(name, f"`{field_name}` holds a NUL character, which a database cannot keep")


def _require_portable(name: str, parameters: Mapping[str, Any]) -> None:
    """Refuse numbers that the way from a worker to its child does not carry: over 64 bits."""
    try:
        msgspec.msgpack.encode(parameters)
    except OverflowError as error:
        raise InvalidParameters(name, str(error)) from error


def _holds_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_holds_nul(key) or _holds_nul(inner) for key, inner in value.items())
        case list():
            return any(map(_holds_nul, value))
        case _:
            return False
