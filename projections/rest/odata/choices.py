"""Query parameters of the list that take one of a few words, in any letter case. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from litestar.params import QueryParameter

from batchtask.http.problems import BadRequest

Choice = TypeVar("Choice", bound=str)


def choice_parameter(name: str, choices: Sequence[str], description: str) -> Any:
    """Declare a parameter that `read_choice` reads, so that the document names what it takes."""
    return QueryParameter(name=name, description=description, schema_extra={"enum": list(choices)})


def read_choice(name: str, text: str, choices: Sequence[Choice]) -> Choice:
    """Read the value of a parameter.

    Raises:
        BadRequest: Lists what it takes.
    """
    for choice in choices:
        if choice.lower() == text.strip().lower():
            return choice
    raise BadRequest(f"{name}: {text[:100]!r} is none of {', '.join(choices)}")
