"""Names of result files, made of what the CRM says: in any script, valid on every system, none twice."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath

#: Windows refuses these, and so do archives that are opened there. Control and format characters (which could turn
#: the reading order of a name, and so hide its suffix) go with them.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_MOST_BYTES = 160  # of a stem, in UTF-8; a file system takes 255, and a number and a suffix must fit, too


def safe_name(text: str, *, otherwise: str) -> str:
    """Make a text the stem of a file's name; `otherwise` if nothing of it can be used."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(" " if _is_invisible(character) else character for character in composed)
    words = " ".join(_FORBIDDEN.sub("_", kept).split())
    name = _cut(words).strip(" .")
    if not name.strip("_ .-"):
        return otherwise
    return f"_{name}" if _DEVICES.fullmatch(name) else name


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _cut(text: str) -> str:
    """Shorten a text, but not in the middle of a character."""
    return text.encode()[:_MOST_BYTES].decode(errors="ignore")


def result_name(wanted: str, otherwise: str, suffix: str) -> str:
    """Name a result: its folder is the worker's to choose, so only the last part of a path counts."""
    name = PurePath(wanted.replace("\\", "/")).name or otherwise
    stem = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return safe_name(stem, otherwise="result") + suffix


class UniqueNames:
    """Gives each name once, however systems compare them: `Anna`, `ANNA (2)`, `anna (3)`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return the name, or the name with the next number that is free."""
        key = name.casefold()
        free, number = name, self._last.get(key, 1)
        while free.casefold() in self._taken:
            number += 1
            free = f"{name} ({number})"
        self._last[key] = number
        self._taken.add(free.casefold())
        return free
