"""Parameters of a task as somebody types them: `name=value …`, or one JSON object."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from batchtask.errors import SettingsError

Pairs = Annotated[list[str] | None, typer.Argument(help="name=value …; a JSON value counts as such.")]
ParametersJson = Annotated[str | None, typer.Option("--parameters", help="All of them as a JSON object.")]


def read_parameters(pairs: list[str], document: str | None) -> dict[str, Any]:
    """Put together what was given both ways; a pair wins.

    Raises:
        SettingsError: One of them cannot be read.
    """
    try:
        values = msgspec.json.decode(document, type=dict[str, Any]) if document else {}
    except msgspec.MsgspecError as error:
        raise SettingsError([f"--parameters is no JSON object: {error}"]) from error
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise SettingsError([f"parameter {pair!r} is not of the form name=value"])
        values[name] = _value(text)
    return values


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return text
