"""Shapes of the SuperOffice-compatible API, `/api/v1`: PascalCase, enums by name, every property always there.

Names and spelling, `Aquired` included, are the original's. Pure; `projections/carriers.py` fills the carrier.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

import msgspec

from batchtask.http.problems import BadRequest

StateName = Literal["Unknown", "New", "Aquired", "Started", "Succeeded", "Failed", "SucceededManualCleanup"]
CancellationName = Literal["CanCancel", "CancelWithWarning", "CannotCancel"]

#: What the original's ids are, and the database's.
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]

#: What the original's client, whose dates cannot be null, takes for "never".
NEVER = "0001-01-01T00:00:00.0000000+00:00"


class BatchTaskState(enum.IntEnum):
    """States as the original numbers and spells them, and its filter value for any of them."""

    Unknown = 0
    New = 1
    Aquired = 2
    Started = 3
    Succeeded = 4
    Failed = 5
    SucceededManualCleanup = 6
    All = 99999


class BatchTaskInfo(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One task. A property is null only when `$select` leaves it out; `TableRight` is always."""

    id: int | None
    name: str | None  #: of the definition
    associate_id: int | None  #: the owner; 0 = a system task
    details_table: int | None
    details_record: int | None
    is_system_task: bool | None
    is_internal_task: bool | None  #: never: every task leaves a trace
    parameter_object: dict[str, str] | None  #: what is no string is JSON text; empty when over 64 KiB
    last_started: str | None  #: `NEVER` before the first attempt
    created: str | None
    start_count: int | None
    database_serial_number: str | None
    context: str | None  #: always empty: a server of ours has one context
    result: str | None  #: what it did or why it failed, whole where `response` is cut; empty before the end
    state: StateName | None
    description: str | None
    response: str | None
    request: str | None
    progress_description: str | None
    progress_percent: int | None
    file_name: str | None
    cancellation_behaviour: CancellationName | None
    table_right: dict[str, Any] | None = None  #: always null: the table has no rights of its own
    field_properties: dict[str, Any] | None = msgspec.field(
        default_factory=dict
    )  #: always empty, for the same reason


@runtime_checkable
class CarrierReads(Protocol):
    """What the command side needs of the query side: to answer with what a task has become."""

    def one(self, number: int, zone: ZoneInfo | None = None) -> BatchTaskInfo:
        """Return a task by its number, times in a zone, by default the database's.

        Raises:
            TaskNotFound: No row of it.
        """


_STATES = {text: state for state in BatchTaskState for text in (state.name.lower(), str(int(state)))}
_FIELDS = {field.encode_name.lower(): field.name for field in msgspec.structs.fields(BatchTaskInfo)}


def read_select(text: str | None) -> frozenset[str] | None:
    """Read `$select`: property names separated by commas, in any letter case; None = all of them.

    Raises:
        BadRequest: Names what is no property.
    """
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    unknown = [name for name in names if name.lower() not in _FIELDS]
    if unknown:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(BatchTaskInfo))
        raise BadRequest(f"$select: {unknown[0][:100]!r} is no property of BatchTaskInfo; there are {known}")
    return frozenset(_FIELDS[name.lower()] for name in names) or None


def select_properties(info: BatchTaskInfo, selected: Collection[str] | None) -> BatchTaskInfo:
    """Return the carrier with every property nulled that is not selected; it keeps its shape.

    Args:
        info: The whole carrier.
        selected: As `read_select` returns it; None = everything.
    """
    if selected is None:
        return info
    return msgspec.structs.replace(info, **{name: None for name in _FIELDS.values() if name not in selected})


def read_state(sent: str | int) -> BatchTaskState:
    """Read a state by its name, in any letter case, or by its number.

    Raises:
        BadRequest: Lists the names there are.
    """
    found = _STATES.get(str(sent).strip().lower())
    if found is None:
        names = ", ".join(state.name for state in BatchTaskState)
        raise BadRequest(f"{str(sent)[:100]!r} is no state of a batch task; there are {names}")
    return found


def bare_name(text: str) -> str:
    """Return a name as names are compared here: letter case, `-` and `_` do not matter."""
    return text.replace("-", "").replace("_", "").lower()


def date_text(time: datetime | None, zone: ZoneInfo | None = None) -> str:
    """Write a time as the original does: seven fractional digits and a numeric offset; `NEVER` for None.

    Args:
        time: Aware; its own zone is kept when no other is asked for.
        zone: That the caller asked for.
    """
    if time is None:
        return NEVER
    text = (time.astimezone(zone) if zone else time).isoformat(timespec="microseconds")
    return f"{text[:26]}0{text[26:32]}"
