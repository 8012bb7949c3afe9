"""Names of folders on the wire, in modified UTF-7.

https://www.rfc-editor.org/rfc/rfc3501#section-5.1.3
"""

from __future__ import annotations

import re

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def decode_name(raw: bytes) -> str:
    """Read a folder's name. What is no modified UTF-7 is read as UTF-8, as some servers send it."""
    try:
        return _SHIFTED.sub(_plain, raw).decode()
    except UnicodeError:
        return raw.decode("utf-8", "replace")


def _plain(match: re.Match[bytes]) -> bytes:
    encoded = match[1].replace(b",", b"/")
    return (b"+" + encoded + b"-").decode("utf-7").encode() if encoded else b"&"


def quoted(text: bytes) -> bytes:
    """Write a string of an IMAP command.

    Raises:
        ValueError: It holds a character that would end the line.
    """
    if re.search(rb"[\r\n\0]", text):
        raise ValueError("a line break in a string of IMAP")
    return b'"' + re.sub(rb'([\\"])', rb"\\\1", text) + b'"'
