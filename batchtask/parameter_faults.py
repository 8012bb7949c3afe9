"""What a caller is told of parameters that do not fit: msgspec's words, and what there is instead."""

from __future__ import annotations

import re

import msgspec


def told(error: msgspec.ValidationError, parameters_type: type[msgspec.Struct]) -> str:
    """Say what is wrong, with the names or values that there are where one is not known."""
    said = str(error)
    instead = _names(parameters_type, said) or _choices(parameters_type, said)
    return said.replace("`$.", "`") + instead


def _names(parameters_type: type[msgspec.Struct], said: str) -> str:
    if not said.startswith("Object contains unknown field") or " - at " in said:
        return ""
    names = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(parameters_type))
    return f"; there are {names}" if names else "; it takes none"


def _choices(parameters_type: type[msgspec.Struct], said: str) -> str:
    field = re.fullmatch(r"Invalid enum value .* - at `\$\.(\w+)`", said)
    if field is None:
        return ""
    [schema], parts = msgspec.json.schema_components(
        [parameters_type], schema_hook=lambda _: {}, ref_template="{name}"
    )
    named = parts[schema["$ref"]]["properties"][field[1]]
    values = {**named, **parts.get(named.get("$ref", ""), {})}.get("enum", [])
    return f", which can be {', '.join(map(str, values))}" if values else ""
