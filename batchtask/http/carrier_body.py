"""What the SuperOffice-compatible API takes: the carrier as a request body, and names as the original has them.

Its clients send numbers as text, lists as JSON text, and names in CamelCase: `MailMerge` is `mail-merge` here, and
`selectionId` is `selection_id`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from batchtask.definitions import Registry, TaskDefinition
from batchtask.http.carrier import BatchTaskState, Int32, bare_name, read_state
from batchtask.http.choosing import Number
from batchtask.http.problems import BadRequest
from batchtask.http.texts import NO_NUL, Name

#: Longest text that is kept whole in a task's history; the row shows 254 characters of it.
LONGEST_TEXT = 32_000

Text = Annotated[str, msgspec.Meta(pattern=NO_NUL, max_length=LONGEST_TEXT)]


class BatchTaskInfoBody(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One task as callers send it. Nothing is required by itself; what is not listed is the server's and ignored.

    What a client sends for a member that it never set (0, "", `Unknown`) counts as not sent.
    """

    id: Int32 | None = None  #: of the task to update; ignored when one is created
    name: Name | None = None  #: of the definition, in any spelling
    associate_id: Number | None = None  #: the owner; 0 = the caller
    is_system_task: bool | None = None  #: true: owned by nobody; for administrators
    parameter_object: dict[str, Any] | None = None  #: texts; what is no text is JSON text, or JSON
    details_table: Int32 | None = None
    details_record: Int32 | None = None
    database_serial_number: Name | None = None  #: only workers of this database take it
    state: str | int | None = None  #: by name, or by number
    description: Text | None = None
    request: Text | None = None
    response: Text | None = None

    def wanted_state(self) -> BatchTaskState | None:
        """Return the state that is asked for; None = as it is.

        Raises:
            BadRequest: There is no such state.
        """
        if self.state in (None, ""):
            return None
        state = read_state(self.state)
        return None if state is BatchTaskState.Unknown else state


def find_definition(registry: Registry, name: str) -> TaskDefinition:
    """Find a definition by its name; letter case, `-` and `_` do not matter.

    Raises:
        UnknownTask: Lists those there are.
        BadRequest: It fits several, none of them exactly.
    """
    if name in registry:
        return registry[name]
    found = [definition for definition in registry if bare_name(definition.name) == bare_name(name)]
    if len(found) > 1:
        names = ", ".join(definition.name for definition in found)
        raise BadRequest(f"Name: {name[:100]!r} may be any of {names}; send one of these")
    return found[0] if found else registry[name]


def read_parameters(definition: TaskDefinition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by the names that the definition has for them; JSON in a text is read where it wants no text.

    What does not fit is left as it is: the definition itself says so.

    Raises:
        BadRequest: One is there in two spellings.
    """
    fields = {bare_name(field.name): field for field in msgspec.structs.fields(definition.parameters_type)}
    parameters: dict[str, Any] = {}
    for name, value in given.items():
        field = fields.get(bare_name(name))
        key = field.encode_name if field else name
        if key in parameters:
            raise BadRequest(f"ParameterObject: {key!r} is there in two spellings; send one")
        parameters[key] = _read(value, field.type) if field else value
    return parameters


def _read(value: Any, wanted: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        msgspec.convert(value, wanted, strict=False)
    except msgspec.ValidationError:
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value
