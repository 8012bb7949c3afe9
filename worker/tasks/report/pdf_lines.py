"""Breaking text into lines that fit a width: at spaces, between Han characters, and inside a word if it must be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

#: Where a line may end. Chinese and Japanese break between characters, but their closing marks stay with the one
#: before and their opening marks with the one behind.
_OPENING = "（「『【《〈〔［｛“‘(["
_CLOSING = "）」』】》〉〕］｝、。，．！？：；・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ”’)]"
_HAN = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
#: Marks where a word that is too long is broken, if it has any; else between any two letters.
_WORD = re.compile(rf"[{re.escape(_OPENING)}]*[{_HAN}][{re.escape(_CLOSING)}]* *|[^ {_HAN}]+ *| +")
_PARTS = re.compile(r"[^-/@._,;]+[-/@._,;]*|[-/@._,;]+")

_JOINER = "\u200d"

Measure = Callable[[str], float]


def break_lines(text: str, width: float, measure: Measure) -> list[str]:
    """Break clean text, one paragraph, into lines.

    Args:
        text: What to break.
        measure: Returns the width of a text.
        width: Of a line, in the unit of `measure`. A single letter that is wider gets a line all the same.

    Returns:
        At least one line; joined they give the text, but for the spaces at which it was broken.
    """
    if measure(text) <= width:
        return [text]
    lines = [""]
    for piece in _pieces(text, width, measure):
        if lines[-1] and measure((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip() or ""
    return [line.rstrip() for line in lines if line.strip()] or [""]


def _pieces(text: str, width: float, measure: Measure) -> Iterator[str]:
    """Yield what is kept on one line: words, or as much of a word as fits."""
    for word in _WORD.findall(text):
        if measure(word.rstrip()) <= width:
            yield word
            continue
        for part in _PARTS.findall(word):
            yield from [part] if measure(part.rstrip()) <= width else _letters(part)


def _letters(word: str) -> Iterator[str]:
    """Yield the letters of a word, each with its marks."""
    letter = ""
    for character in word:
        is_joined = character == _JOINER or letter.endswith(_JOINER) or unicodedata.category(character)[0] == "M"
        if letter and not is_joined:
            yield letter
            letter = ""
        letter += character
    yield letter
