"""What the context of a task keeps and in which form, and what it refuses; the same wherever the task runs.

The worker's children and the context for the tests of task authors go through it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

#: Every checkpoint stays in the stream, and whoever claims the task reads the stream: say where, not what.
LARGEST_CHECKPOINT_BYTES = 64 * 1024
#: Characters; it is part of a primary key, which takes less than 2700 bytes.
LONGEST_KEY = 500
#: Longest log line kept.
LONGEST_LINE = 4_000
#: Of the words of a progress report: the original's column.
LONGEST_STAGE = 254

_ONLY_JSON = (
    "A checkpoint holds text without NUL characters, numbers, true, false, null, lists, and objects with text as keys"
)


def kept_checkpoint(data: Mapping[str, Any]) -> dict[str, Any]:
    """Take a copy of a checkpoint as it will be read again.

    Raises:
        ValueError: It is too large, or does not come back from JSON as it went in.
    """
    try:
        encoded = msgspec.json.encode(data)
        read = msgspec.json.decode(encoded)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{_ONLY_JSON} ({error})") from error
    if not isinstance(read, dict) or read != data or b"\\u0000" in encoded:
        raise ValueError(f"{_ONLY_JSON}.")
    if len(encoded) > LARGEST_CHECKPOINT_BYTES:
        raise ValueError(
            f"A checkpoint may take {LARGEST_CHECKPOINT_BYTES} bytes as JSON, not {len(encoded)}: "
            "keep the data in a table or a file, and in the checkpoint only where it is and how far it goes."
        )
    return read


def check_effect_key(key: str) -> None:
    """Refuse a key that the ledger of effects cannot hold.

    Raises:
        ValueError: It cannot.
    """
    if not 0 < len(key) <= LONGEST_KEY or "\0" in key:
        raise ValueError(f"The key of an effect is a text of 1 to {LONGEST_KEY} characters without NUL, not {key!r}")


def kept_effect(told: str | None) -> str:
    """What the ledger remembers of an effect: text that PostgreSQL takes."""
    return (told or "").replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def kept_progress(percent: float, text: str) -> tuple[int, str]:
    """Whole per cent from 0 to 100, and the stage as far as its column holds it."""
    return max(0, min(100, int(percent))), text[:LONGEST_STAGE].encode("utf-8", "replace").decode()


def kept_line(line: str) -> str:
    """A log line, cut at its greatest length."""
    return line[:LONGEST_LINE].encode("utf-8", "replace").decode()


def result_file(folder: Path, name: str) -> Path:
    """The place of a result file in the task's folder, which is made; folders in `name` are left out.

    Raises:
        ValueError: Nothing is left of the name.
    """
    last = Path(name).name
    if last in {"", ".."}:
        raise ValueError(f"{name!r} is no file name")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / last
