"""The values in an IMAP response: strings, NIL and lists in parentheses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: An atom and a string are both bytes; NIL is None.
Value = bytes | list["Value"] | None

#: Deeper than any mail that somebody wrote; one that nests deeper is told as one that cannot be read.
DEEPEST = 100
_TOKEN = re.compile(
    rb"""
    [ ]+ | (?P<open> \( ) | (?P<close> \) )
    | "(?P<quoted> (?: [^"\\] | \\. )* )"
    | (?P<atom> [^ ()"\[]* \[ [^\]]* \] (?:<\d+>)? | [^ ()"\[]+ )  # BODY[HEADER.FIELDS (DATE)]<0> is one, too
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Literal:
    """A string that came with its length before it."""

    octets: bytes


def read_values(chunks: Sequence[bytes | Literal]) -> list[Value]:
    """Read the values of one response.

    Args:
        chunks: Text, without the announced lengths, and literals in the order of the wire.

    Raises:
        ValueError: The parentheses or quotes do not match, or nest too deep.
    """
    outermost: list[Value] = []
    open_lists = [outermost]
    for token in _tokens(chunks):
        match token:
            case True if len(open_lists) < DEEPEST:
                inner: list[Value] = []
                open_lists[-1].append(inner)
                open_lists.append(inner)
            case False if len(open_lists) > 1:
                open_lists.pop()
            case bytes() | None:
                open_lists[-1].append(token)
            case _:
                raise ValueError("parentheses that do not match, or nest too deep")
    if len(open_lists) > 1:
        raise ValueError("a parenthesis is not closed")
    return outermost


def _tokens(chunks: Sequence[bytes | Literal]) -> Iterator[bytes | bool | None]:
    """Yield strings, NIL as None, and parentheses: True opens, False closes."""
    for chunk in chunks:
        if isinstance(chunk, Literal):
            yield chunk.octets
        else:
            yield from _text_tokens(chunk)


def _text_tokens(text: bytes) -> Iterator[bytes | bool | None]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.end() == place:
            raise ValueError(f"no IMAP: {text[place : place + 40]!r}")
        place = match.end()
        match match.lastgroup:
            case "open" | "close":
                yield match.lastgroup == "open"
            case "quoted":
                yield _ESCAPED.sub(rb"\1", match["quoted"])
            case "atom":
                yield None if match["atom"].upper() == b"NIL" else match["atom"]
