"""Cutting a filter into words, texts, numbers and signs, each with its place. Pure."""

from __future__ import annotations

import enum
import re
from typing import NoReturn

import msgspec

from batchtask.http.problems import BadRequest

#: A filter that is longer was not written by hand, and not by a program that knows this list either.
LONGEST_FILTER = 4000


class Sort(enum.Enum):
    """What a token is."""

    TEXT = "a text"
    WORD = "a word"
    SIGN = "a sign"
    END = "the end"


class Token(msgspec.Struct, frozen=True):
    """A part of a filter."""

    sort: Sort
    text: str  #: without quotes
    position: int  #: of its first character in the filter, from 1

    def __str__(self) -> str:
        return "the end" if self.sort is Sort.END else repr(self.text[:60])


_TOKEN = re.compile(
    r"""\s*(?:
        '(?P<text>(?:[^']|'')*)'                  # a quote inside is doubled
      | (?P<sign>[(),=])
      | (?P<word>[^\s'(),=]+)                     # names, numbers and dates alike
    )""",
    re.VERBOSE,
)


def tokenise(text: str) -> list[Token]:
    """Cut a filter into tokens, the last of which is its end.

    Raises:
        BadRequest: It is too long, a text in it does not end, or a character cannot be in any filter.
    """
    if len(text) > LONGEST_FILTER:
        raise BadRequest(f"$filter has {len(text)} characters; at most {LONGEST_FILTER} are read")
    if "\0" in text:
        refuse(text.index("\0") + 1, "a NUL character, which no task has in its texts")
    return [*_tokens(text.rstrip()), Token(Sort.END, "", len(text.rstrip()) + 1)]


def refuse(position: int, what: str) -> NoReturn:
    """Refuse a filter for what stands at a position.

    Raises:
        BadRequest: Always.
    """
    raise BadRequest(f"$filter, position {position}: {what}")


def _tokens(text: str) -> list[Token]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            refuse(text.index("'", at) + 1, "this text does not end; close it with ', and double a ' inside it")
        tokens.append(_token(match, match.lastgroup))
        at = match.end()
    return tokens


def _token(match: re.Match[str], group: str) -> Token:
    found = match[group]
    if group == "text":
        return Token(Sort.TEXT, found.replace("''", "'"), match.start(group))
    return Token(Sort[group.upper()], found, match.start(group) + 1)
