"""The order in which mixed left-to-right and right-to-left text is seen: the Unicode Bidirectional Algorithm.

https://www.unicode.org/reports/tr9/ for one line, without explicit embeddings: cells of a CRM hold names and numbers,
and the marks that would embed are dropped before. The rules carry their names from there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, takewhile

_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
_NEUTRAL = frozenset(("B", "S", "WS", "ON", "BN"))
_BETWEEN_NUMBERS = {("CS", "EN"), ("CS", "AN"), ("ES", "EN")}  #: a separator, and the numbers that it joins
_PAIRS = {"(": ")", "[": "]", "{": "}", "«": "»", "‹": "›", "「": "」", "『": "』", "（": "）"}


def is_mixed(text: str) -> bool:
    """Tell whether any of a text runs from right to left; without that, nothing needs reordering."""
    return not text.isascii() and any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def base_level(text: str) -> int:
    """Return 1 if a paragraph begins with a right-to-left letter, else 0 (P2, P3)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in {"L", "R", "AL"}:
            return int(kind != "L")
    return 0


def levels(text: str, base: int) -> list[int]:
    """Return the embedding level of each character; odd ones run from right to left."""
    kinds = [unicodedata.bidirectional(character) or "L" for character in text]
    outer = "R" if base else "L"
    _resolve_weak(kinds, outer)
    _resolve_pairs(text, kinds, outer)
    _resolve_neutral(kinds, outer)
    found = [_implicit_level(kind, base) for kind in kinds]
    return _with_trailing_space_outside(text, found, base)


def visual_runs(found: Sequence[int], start: int, end: int) -> list[tuple[int, int, int]]:
    """Cut a line into stretches of one level, (start, end, level), from left to right as they are seen (L2)."""
    runs = [
        (group[0], group[-1] + 1, level)
        for level, group in ((level, list(group)) for level, group in groupby(range(start, end), lambda i: found[i]))
    ]
    highest = max((level for _, _, level in runs), default=0)
    for level in range(highest, 0, -1):
        runs = list(_reversed_above(runs, level))
    return runs


def _reversed_above(runs: list[tuple[int, int, int]], level: int) -> Iterator[tuple[int, int, int]]:
    for is_above, group in groupby(runs, lambda run: run[2] >= level):
        stretch = list(group)
        yield from reversed(stretch) if is_above else stretch


def _resolve_weak(kinds: list[str], outer: str) -> None:
    """Apply W1 to W7."""
    _replace(kinds, outer, lambda kind, before: before if kind == "NSM" else kind, remembered=None)
    _replace(kinds, outer, lambda kind, strong: "AN" if kind == "EN" and strong == "AL" else kind)
    kinds[:] = ["R" if kind == "AL" else kind for kind in kinds]
    for i in range(1, len(kinds) - 1):
        before, kind, after = kinds[i - 1 : i + 2]
        if before == after and (kind, before) in _BETWEEN_NUMBERS:
            kinds[i] = before
    _resolve_terminators(kinds)
    kinds[:] = ["ON" if kind in {"ES", "ET", "CS"} else kind for kind in kinds]
    _replace(kinds, outer, lambda kind, strong: "L" if kind == "EN" and strong == "L" else kind)


def _replace(
    kinds: list[str],
    outer: str,
    rule: Callable[[str, str], str],
    remembered: frozenset[str] | None = frozenset(("L", "R", "AL")),
) -> None:
    """Rewrite each kind by itself and the last one before it that is remembered (None: every one)."""
    last = outer
    for i, kind in enumerate(kinds):
        kinds[i] = rule(kind, last)
        if remembered is None or kinds[i] in remembered:
            last = kinds[i]


def _resolve_terminators(kinds: list[str]) -> None:
    """Apply W5: signs such as % and currency belong to the number beside them."""
    start = 0
    for kind, group in groupby(list(kinds)):
        end = start + len(list(group))
        if kind == "ET" and "EN" in (kinds[start - 1] if start else "", kinds[end] if end < len(kinds) else ""):
            kinds[start:end] = ["EN"] * (end - start)
        start = end


def _resolve_pairs(text: str, kinds: list[str], outer: str) -> None:
    """Apply N0: brackets of a pair point the same way, and marks on them with them."""
    for start, end in sorted(_pairs(text, kinds)):
        inside = {_strong(kind) for kind in kinds[start + 1 : end]} - {""}
        if not inside:
            continue
        before = next((strong for kind in reversed(kinds[:start]) if (strong := _strong(kind))), outer)
        direction = outer if outer in inside or before == outer else before
        for bracket in (start, end):
            kinds[bracket] = direction
            for mark in takewhile(
                lambda i: unicodedata.bidirectional(text[i]) == "NSM", range(bracket + 1, len(text))
            ):
                kinds[mark] = direction


def _pairs(text: str, kinds: Sequence[str]) -> Iterator[tuple[int, int]]:
    waiting: list[tuple[str, int]] = []
    for position, character in enumerate(text):
        if kinds[position] != "ON":
            continue
        if character in _PAIRS:
            waiting.append((_PAIRS[character], position))
        elif any(closing == character for closing, _ in waiting):
            while waiting[-1][0] != character:
                waiting.pop()
            yield waiting.pop()[1], position


def _strong(kind: str) -> str:
    """Return the direction that a kind lends to neutrals beside it; numbers count as right to left."""
    return {"L": "L", "R": "R", "EN": "R", "AN": "R"}.get(kind, "")


def _resolve_neutral(kinds: list[str], outer: str) -> None:
    """Apply N1 and N2: neutrals go with their neighbours if these agree, else with the paragraph."""
    start = 0
    for is_neutral, group in groupby(list(kinds), lambda kind: kind in _NEUTRAL):
        end = start + len(list(group))
        if is_neutral:
            before = _strong(kinds[start - 1]) if start else outer
            after = _strong(kinds[end]) if end < len(kinds) else outer
            kinds[start:end] = [before if before == after else outer] * (end - start)
        start = end


def _implicit_level(kind: str, base: int) -> int:
    """Apply I1 and I2."""
    if base:
        return 1 if kind == "R" else 2
    return {"R": 1, "AN": 2, "EN": 2}.get(kind, 0)


def _with_trailing_space_outside(text: str, found: list[int], base: int) -> list[int]:
    """Apply L1: white space at the line's end lies outside, whatever it follows."""
    kept = len(text.rstrip())
    return found[:kept] + [base] * (len(text) - kept)
