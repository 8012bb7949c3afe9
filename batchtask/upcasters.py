"""Reading of stored and travelling bodies: written name and schema version in, typed object out.

Stored events are never migrated. When a body changes its shape, raise its number in `CURRENT_VERSIONS` and add
one pure function to `UPCASTERS` that turns the old shape into the next; reading chains them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from batchtask.errors import MalformedMessage, UnknownMessage
from batchtask.events import EVENT_TYPES, Event
from batchtask.messages import CancelTask, Command, SubmitTask

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Body = TypeVar("Body", bound=msgspec.Struct)

COMMAND_TYPES: dict[str, type[Command]] = {"SubmitTask": SubmitTask, "CancelTask": CancelTask}

#: Schema versions above 1; everything not named here is at 1.
CURRENT_VERSIONS: dict[str, int] = {}
#: (written name, version) → what turns it into version + 1.
UPCASTERS: dict[tuple[str, int], Upcaster] = {}

#: What an upcaster raises on a body that was never of its version; upcasters need not check.
UNFIT_FOR_UPCASTER = (LookupError, TypeError, ValueError, AttributeError)

_encoder = msgspec.json.Encoder()


class Codec(Generic[Body]):
    """Encodes and decodes the bodies of one family (events, or commands) by written name and version."""

    def __init__(
        self,
        types: Mapping[str, type[Body]],
        current_versions: Mapping[str, int],
        upcasters: Mapping[tuple[str, int], Upcaster],
    ) -> None:
        self._names = {cls: name for name, cls in types.items()}
        self._versions = {name: current_versions.get(name, 1) for name in types}
        self._types = dict(types)
        self._decoders = {name: msgspec.json.Decoder(cls) for name, cls in types.items()}
        self._upcasters = upcasters

    def name(self, body: Body) -> str:
        return self._names[type(body)]

    def version(self, name: str) -> int:
        return self._versions[name]

    def encode(self, body: Body) -> bytes:
        return _encoder.encode(body)

    def decode(self, name: str, version: int, data: bytes | msgspec.Raw) -> Body:
        """Read one body.

        Raises:
            UnknownMessage: A name or a version that this release does not know.
            MalformedMessage: Known, but not of the declared shape.
        """
        current = self._versions.get(name)
        if current is None or not 1 <= version <= current:
            raise UnknownMessage(f"unknown message {name!r} version {version}; a newer release sent it")
        try:
            if version == current:
                return self._decoders[name].decode(data)
            return msgspec.convert(self._upcast(name, version, current, data), self._types[name])
        except (msgspec.MsgspecError, RecursionError, *UNFIT_FOR_UPCASTER) as error:
            raise MalformedMessage(f"{name} cannot be read: {error}") from error

    def _upcast(self, name: str, version: int, current: int, data: bytes | msgspec.Raw) -> dict[str, Any]:
        body = msgspec.json.decode(data, type=dict[str, Any])
        for step in range(version, current):
            body = self._upcasters[name, step](body)
        return body


events: Codec[Event] = Codec(EVENT_TYPES, CURRENT_VERSIONS, UPCASTERS)
commands: Codec[Command] = Codec(COMMAND_TYPES, CURRENT_VERSIONS, UPCASTERS)
