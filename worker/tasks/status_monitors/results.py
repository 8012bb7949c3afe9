"""What came of the pieces of a regeneration, kept over attempts, and the sentence that users read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from batchtask.definitions import TaskContext

#: Begin the keys of pieces in the checkpoint.
COUNTERS, MONITORS = "counters of ", "monitor "


class Change(msgspec.Struct, frozen=True):
    """What was done to the rows of a piece."""

    added: int = 0  #: inserted, or switched on again
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def __add__(self, other: Change) -> Change:
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Change(*(one + another for one, another in zip(mine, theirs, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One transaction's worth of work."""

    key: str  #: in the checkpoint
    title: str  #: for users
    regenerate: Callable[[], None]  #: keeps its result, or why there is none


class _Kept(msgspec.Struct):
    """The checkpoint."""

    noted: dict[str, Change] = {}  #: rows are written, books are not
    done: dict[str, Change] = {}
    skipped: list[str] = []


class Results:
    """The results of this attempt and those before it."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._kept = msgspec.convert(context.checkpoint or {}, _Kept)

    def knows(self, key: str) -> bool:
        """Say whether a piece is settled."""
        return key in self._kept.done or key in self._kept.skipped

    def note(self, key: str, change: Change) -> None:
        """Keep what was done to the rows; to be called in the transaction that does it.

        A repetition, after a death before the piece was settled, adds to what was noted first.
        """
        first = self._kept.noted.get(key, Change())
        self._kept.noted[key] = Change(
            added=first.added + change.added,
            changed=first.changed + change.changed,
            removed=first.removed + change.removed,
            unchanged=max(0, change.unchanged - first.added - first.changed),
        )
        self._save()

    def settle(self, key: str) -> None:
        """Keep that a piece is finished; to be called in the transaction that finishes it."""
        self._kept.done[key] = self._kept.noted.pop(key)
        self._save()

    def skip(self, key: str, title: str, reason: str) -> None:
        """Keep that a piece cannot be done, and log why."""
        self._context.log.warning("skipped: %s: %s", title, reason, extra={"action": "skipped"})
        self._kept.skipped.append(key)
        self._save()

    def _save(self) -> None:
        self._context.save_checkpoint(msgspec.to_builtins(self._kept))

    def summary(self, what: str) -> str:
        """Say in one or two sentences what was done."""
        sentences = []
        if what != "monitors":
            sentences.append(self._about_counters())
        if what != "counters":
            sentences.append(self._about_monitors())
        return " ".join(sentences)

    def _about_counters(self) -> str:
        names = [key.removeprefix(COUNTERS) for key in self._kept.done if key.startswith(COUNTERS)]
        if not names:
            return self._with_skipped("No counters were regenerated", COUNTERS)
        total = self._total(COUNTERS)
        counts = {
            "added": total.added,
            "changed": total.changed,
            "removed": total.removed,
            "unchanged": total.unchanged,
        }
        return self._with_skipped(f"Counters of {_listed(names)} regenerated: {_counted(counts)}", COUNTERS)

    def _about_monitors(self) -> str:
        number = sum(key.startswith(MONITORS) for key in self._kept.done)
        if not number:
            return self._with_skipped("No status monitors were regenerated", MONITORS)
        total = self._total(MONITORS)
        counts = {"added": total.added, "removed": total.removed, "unchanged": total.unchanged}
        plural = "" if number == 1 else "s"
        return self._with_skipped(f"{number} status monitor{plural} regenerated: {_counted(counts)}", MONITORS)

    def _total(self, prefix: str) -> Change:
        return sum((change for key, change in self._kept.done.items() if key.startswith(prefix)), Change())

    def _with_skipped(self, text: str, prefix: str) -> str:
        skipped = sum(key.startswith(prefix) for key in self._kept.skipped)
        return f"{text}; {skipped} skipped, see the log." if skipped else f"{text}."


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _counted(counts: dict[str, int]) -> str:
    # A narrow space that no line is broken at sets the thousands apart.
    return ", ".join(f"{number:,} {word}".replace(",", "\u202f") for word, number in counts.items())
