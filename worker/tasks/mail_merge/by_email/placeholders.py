"""Texts with variables, taken apart once and filled for every recipient. What a value may do depends on where it is.

In HTML a value is text, never markup; in a link it is part of the address, never another link.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from worker.tasks.mail_merge.pieces import CANDIDATE, change_case
from worker.tasks.mail_merge.variables_in_text import Rules, read_variable

_LINKS = re.compile(r"""\b(?:href|src|action|background)\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
_NO_TEXT = re.compile(r"<(style|script)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_LINE_ENDS = re.compile(r"\r\n?|\n|[\v\f\x85\u2028\u2029]")
#: Schemes that run what they are given. A link must not become one by what somebody wrote into the CRM.
_HARMLESS = ("http:", "https:", "mailto:", "tel:")

Escape = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class _Slot:
    """The place of a variable."""

    name: str
    case: str
    escape: Escape

    def fill(self, values: Mapping[str, str]) -> str:
        return self.escape(change_case(values[self.name], self.case))


_Piece = str | _Slot


class Placeholders:
    """A text with variables.

    Args:
        text: With variables in braces.
        rules: What counts as a variable.
        escape_at: Says for a place in the text how a value is written there; None = no variable can stand there.
        drop_blank_lines: Leave out lines of which only empty variables are left.
    """

    def __init__(
        self,
        text: str,
        rules: Rules,
        escape_at: Callable[[int], Escape | None] = lambda _: str,
        *,
        drop_blank_lines: bool = False,
    ) -> None:
        self.unknown: set[str] = set()
        self._drop_blank_lines = drop_blank_lines
        self._lines: list[list[_Piece]] = [[]]
        end = 0
        for match in CANDIDATE.finditer(text):
            escape = escape_at(match.start())
            if escape is None:
                continue
            variable = read_variable(match[1], rules)
            if variable is None:
                self.unknown.add(match[0])
                if rules.unknown != "blank":
                    continue
            self._add(text[end : match.start()])
            end = match.end()
            if variable is not None and variable.name:
                self._lines[-1].append(_Slot(name=variable.name, case=variable.case, escape=escape))
        self._add(text[end:])

    @property
    def names(self) -> set[str]:
        """The variables in use."""
        return {piece.name for line in self._lines for piece in line if isinstance(piece, _Slot)}

    def fill(self, values: Mapping[str, str]) -> str:
        return "".join(filled for line in self._lines if (filled := self._fill(line, values)) is not None)

    def _add(self, text: str) -> None:
        first, *others = text.splitlines(keepends=True) or [""]
        self._lines[-1].append(first)
        self._lines.extend([line] for line in others)
        if text.endswith("\n"):
            self._lines.append([])

    def _fill(self, line: list[_Piece], values: Mapping[str, str]) -> str | None:
        filled = "".join(piece if isinstance(piece, str) else piece.fill(values) for piece in line)
        has_variables = any(isinstance(piece, _Slot) for piece in line)
        return None if self._drop_blank_lines and has_variables and not filled.strip() else filled


def in_subject(text: str, rules: Rules) -> Placeholders:
    """Read a header's text; a value cannot end the line and begin another header."""
    return Placeholders(one_line(text), rules, lambda _: one_line)


def in_text(text: str, rules: Rules, *, drop_blank_lines: bool) -> Placeholders:
    return Placeholders(text, rules, drop_blank_lines=drop_blank_lines)


def in_html(text: str, rules: Rules) -> Placeholders:
    silent = [match.span() for match in _NO_TEXT.finditer(text)]
    links = [match.span(1) for match in _LINKS.finditer(text)]

    def escape_at(place: int) -> Escape | None:
        if any(start <= place < end for start, end in silent):
            return None
        link = next((start for start, end in links if start <= place < end), None)
        if link is None:
            return _as_html
        return _as_link if place == link + 1 else _as_part_of_link

    return Placeholders(text, rules, escape_at)


def one_line(text: str) -> str:
    """Put a text on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _as_html(value: str) -> str:
    return _LINE_ENDS.sub("<br>", html.escape(value))


def _as_link(value: str) -> str:
    """A value that is the whole address, or its beginning: `{cwww}` is often written without a scheme."""
    link = one_line(value)
    if link and not link.lower().startswith(_HARMLESS):
        link = f"https://{link}"
    return html.escape(link)


def _as_part_of_link(value: str) -> str:
    return quote(value, safe="@")
