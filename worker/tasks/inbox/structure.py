"""What a message is made of, read from the server's BODYSTRUCTURE, so that only its text has to be fetched.

https://www.rfc-editor.org/rfc/rfc3501#section-7.4.2
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.utils import collapse_rfc2231_value, decode_params
from itertools import takewhile

from worker.tasks.inbox.headers import read_words
from worker.tasks.inbox.imap.tokens import Value
from worker.tasks.inbox.texts import decode

#: More parts than anybody attaches.
MOST_PARTS = 500
#: They sign or describe the message; nobody would call them attachments.
_NOT_SHOWN = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
              "message/delivery-status"}  # fmt: skip
_BASE64_LINE = 76 + 2, 76 // 4 * 3  #: bytes on the wire, and in the file


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part without parts of its own."""

    section: str  #: its number, such as 1.2
    type: str  #: text/plain
    parameters: dict[str, str] = field(default_factory=dict)
    content_id: str = ""
    description: str = ""
    encoding: str = ""
    octets: int = 0  #: as sent
    disposition: str = ""
    filename: str = ""

    @property
    def charset(self) -> str:
        return self.parameters.get("charset", "")

    @property
    def bytes(self) -> int:
        """Return its size as a file, which base64 hides; some ten bytes off."""
        if self.encoding.lower() != "base64":
            return self.octets
        return self.octets * _BASE64_LINE[1] // _BASE64_LINE[0]

    @property
    def is_body(self) -> bool:
        """True for text that is meant to be read in the message."""
        return self.type.startswith("text/") and self.disposition != "attachment" and not self.filename

    @property
    def is_attachment(self) -> bool:
        """True for what a reader would call an attachment: no picture within the text, no signature."""
        return self.disposition == "attachment" or (
            not self.is_body and not (self.content_id and self.disposition != "attachment") and self.is_listed
        )

    @property
    def is_listed(self) -> bool:
        return not self.is_body and self.type not in _NOT_SHOWN


def read_parts(structure: Value) -> list[Part]:
    """List the parts of a message in order.

    Raises:
        ValueError: It is no BODYSTRUCTURE.
    """
    if not isinstance(structure, list) or not structure:
        raise ValueError("no BODYSTRUCTURE")
    if isinstance(structure[0], list):
        return list(_children(structure, ""))[:MOST_PARTS]
    return [_leaf(structure, "1")]


def _children(values: Sequence[Value], prefix: str) -> Iterator[Part]:
    children = takewhile(lambda value: isinstance(value, list), values)
    for number, child in enumerate(children, 1):
        section = f"{prefix}{number}"
        if isinstance(child, list) and child and isinstance(child[0], list):
            yield from _children(child, f"{section}.")
        elif isinstance(child, list) and child:
            yield _leaf(child, section)


def _leaf(values: Sequence[Value], section: str) -> Part:
    kind = f"{_text(values, 0)}/{_text(values, 1)}".lower()
    parameters = _parameters(values[2] if len(values) > 2 else None)
    disposition, its_parameters = _disposition(values, kind)
    name = its_parameters.get("filename") or parameters.get("name") or ""
    octets = _text(values, 6)
    return Part(
        section=section,
        type=kind,
        parameters=parameters,
        content_id=_text(values, 3).strip("<> "),
        description=read_words(_text(values, 4)),
        encoding=_text(values, 5),
        octets=int(octets) if octets.isdigit() else 0,
        disposition=disposition,
        filename=read_words(name),
    )


def _disposition(values: Sequence[Value], kind: str) -> tuple[str, dict[str, str]]:
    """Find the disposition: how many values stand before it depends on the type, and servers are not at one."""
    begin = {"text": 8, "message": 10}.get(kind.partition("/")[0], 7)
    for value in values[begin:]:
        match value:
            case [bytes(name), None | list() as parameters] if name.lower() in {b"attachment", b"inline"}:
                return name.decode().lower(), _parameters(parameters)
    return "", {}


def _parameters(values: Value) -> dict[str, str]:
    """Read names and values; long or foreign ones come in pieces.

    https://www.rfc-editor.org/rfc/rfc2231
    """
    if not isinstance(values, list):
        return {}
    texts = [decode(value) if isinstance(value, bytes) else "" for value in values]
    pairs = list(zip((name.lower() for name in texts[::2]), texts[1::2], strict=False))
    if not any("*" in name for name, _ in pairs):
        return dict(pairs)
    try:
        decoded = decode_params([("", ""), *pairs])
        return {name: collapse_rfc2231_value(value).strip('"') for name, value in decoded[1:]}
    except (ValueError, LookupError, TypeError, HeaderParseError):
        return {name.partition("*")[0]: value for name, value in pairs}


def _text(values: Sequence[Value], place: int) -> str:
    value = values[place] if len(values) > place else None
    return decode(value) if isinstance(value, bytes) else ""
