"""Columns of the list "BatchTasks" and what may be asked of each kind. Pure; `conditions.py` knows their SQL.

The original documents no names: these are the properties of its carrier, in lowerCamelCase, in any letter case.
"""

from __future__ import annotations

import enum

from batchtask.http.problems import BadRequest


class Kind(enum.Enum):
    """What a column holds, and so how it is compared."""

    NUMBER = "a number"
    STATE = "a state"
    ASSOCIATE = "an associate id"
    TEXT = "a text"
    DATE = "a date"
    BOOLEAN = "true or false"
    SHOWN = "only shown"  #: is in the task's stream: neither compared nor sorted by


COLUMNS: dict[str, Kind] = {
    "id": Kind.NUMBER,
    "name": Kind.TEXT,
    "associateId": Kind.ASSOCIATE,
    "detailsTable": Kind.NUMBER,
    "detailsRecord": Kind.NUMBER,
    "isSystemTask": Kind.BOOLEAN,
    "isInternalTask": Kind.BOOLEAN,
    "parameterObject": Kind.SHOWN,
    "lastStarted": Kind.DATE,
    "created": Kind.DATE,
    "startCount": Kind.NUMBER,
    "databaseSerialNumber": Kind.TEXT,
    "context": Kind.SHOWN,
    "result": Kind.SHOWN,
    "state": Kind.STATE,
    "description": Kind.TEXT,
    "response": Kind.TEXT,
    "request": Kind.TEXT,
    "progressDescription": Kind.TEXT,
    "progressPercent": Kind.NUMBER,
    "fileName": Kind.TEXT,
    "cancellationBehaviour": Kind.SHOWN,
}
_BY_LOWER_CASE = {name.lower(): name for name in COLUMNS}


def find_column(text: str) -> str | None:
    """Return the name of a column as it is spelt here; None = there is no such column."""
    return _BY_LOWER_CASE.get(text.lower())


def read_columns(text: str | None) -> list[str]:
    """Read `$select`, columns separated by commas; nothing means all of them.

    Raises:
        BadRequest: Names what is no column.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    return list(dict.fromkeys(_column("$select", name) for name in names)) or list(COLUMNS)


def read_order(text: str | None) -> list[tuple[str, bool]]:
    """Read `$orderBy`, such as `state, created desc`, as columns and whether each falls.

    Raises:
        BadRequest: Names what is no column, or cannot be sorted by.
    """
    parts = [part.split() for part in (text or "").split(",") if part.strip()]
    return [_ordering(words) for words in parts]


def _ordering(words: list[str]) -> tuple[str, bool]:
    name = _column("$orderBy", words[0])
    if COLUMNS[name] is Kind.SHOWN:
        raise BadRequest(f"$orderBy: {name} is shown, but cannot be sorted by")
    if len(words) > 2 or (len(words) == 2 and words[1].lower() not in {"asc", "desc"}):
        raise BadRequest(f"$orderBy: after {name} comes asc, desc or a comma, not {' '.join(words[1:])[:100]!r}")
    return name, len(words) == 2 and words[1].lower() == "desc"


def _column(parameter: str, text: str) -> str:
    if "(" in text or ":" in text:
        raise BadRequest(f"{parameter}: {text[:100]!r} is an aggregation, of which this list has none: name columns")
    name = find_column(text)
    if name is None:
        raise BadRequest(f"{parameter}: {text[:100]!r} is no column of this list; there are {', '.join(COLUMNS)}")
    return name
