"""Rows of the list: the selected columns of a task, as little or as much of each value as was asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

from batchtask.http.carrier import NEVER, BatchTaskInfo, BatchTaskState

Mode = Literal["Slim", "Wide", "Full"]
Output = Literal["Logical", "Display"]
MODES: tuple[Mode, ...] = get_args(Mode)
OUTPUTS: tuple[Output, ...] = get_args(Output)

ENTITY = "batchtask"
#: How the original writes that an icon is shown instead of a word.
_ICONS = {True: "[I:yes]", False: "[I:no]"}


def row_of(info: BatchTaskInfo, columns: Sequence[str], mode: Mode, output: Output) -> dict[str, Any]:
    """Return a row: its key, its entity, and the columns.

    Slim gives each value bare; Wide what is displayed beside the raw value; Full the hints of the original as well.
    """
    values = {column: _value(info, column) for column in columns}
    return {
        "PrimaryKey": info.id,
        "EntityName": ENTITY,
        **{column: _shown(value, mode, output) for column, value in values.items()},
    }


def _value(info: BatchTaskInfo, column: str) -> Any:
    value = getattr(info, re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", column))
    return BatchTaskState[value] if column == "state" else value


def _shown(value: Any, mode: Mode, output: Output) -> Any:
    if mode == "Slim":
        return _ICONS[value] if output == "Display" and isinstance(value, bool) else value
    both = {"DisplayValue": _displayed(value), "RawValue": value}
    return both if mode == "Wide" else {**both, "TooltipHint": "", "LinkHint": ""}


def _displayed(value: Any) -> str:
    match value:
        case bool():
            return _ICONS[value]
        case BatchTaskState():
            return value.name
        case dict():
            return ", ".join(f"{name}: {text}" for name, text in value.items())
        case _:
            return "" if value == NEVER else str(value)
