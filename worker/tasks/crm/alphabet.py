"""The order of texts where a database has no ICU: capitals and marks do not matter, and Nordic letters come after z.

An approximation, which puts names where readers look for them; `collations` knows when it is needed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache

_WITHOUT_PARTS = {"æ": "a", "ø": "o", "œ": "o", "đ": "d", "ð": "d", "ł": "l", "ß": "s", "þ": "t", "ı": "i", "ς": "σ"}
#: Latin and Greek; marks of other alphabets make other letters.
_ALPHABETS = (*range(0xC0, 0x250), *range(0x370, 0x400), *range(0x1E00, 0x2000))
#: Letters behind z, in their order, with those that stand for them in neighbouring languages.
_BEHIND_Z = {"nb": ("æä", "øö", "å"), "da": ("æä", "øö", "å"), "sv": ("å", "äæ", "öø")}
_CHARACTERS_BEHIND_Z = "{|}"


@cache
def translation(language_code: str) -> tuple[str, str]:
    """Return small letters that are not sorted by themselves, and character by character what they are sorted by."""
    behind = _BEHIND_Z.get(language_code.lower().partition("-")[0], ())
    letters = {
        **_WITHOUT_PARTS,
        **dict(_without_marks()),
        **{letter: key for letters, key in zip(behind, _CHARACTERS_BEHIND_Z, strict=False) for letter in letters},
    }
    return "".join(letters), "".join(letters.values())


def _without_marks() -> Iterator[tuple[str, str]]:
    for letter in map(chr, _ALPHABETS):
        parts = unicodedata.normalize("NFD", letter)
        if len(parts) > 1 and letter == letter.lower():
            yield letter, parts[0]
