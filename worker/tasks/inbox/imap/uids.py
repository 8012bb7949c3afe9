"""Sets of message numbers as IMAP writes them: `1,4:7`."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

Range = tuple[int, int]

#: Numbers have 32 bits: https://www.rfc-editor.org/rfc/rfc3501#section-2.3.1.1
LARGEST = 2**32 - 1
#: No mailbox is so large; only nonsense is.
MOST = 5_000_000
_PART = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")


def read_ranges(text: bytes) -> list[Range]:
    """Read a set.

    Raises:
        ValueError: It is none.
    """
    return [_range(part) for part in text.split(b",")]


def _range(part: bytes) -> Range:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"no set of message numbers: {part[:40]!r}")
    first, last = int(match[1]), int(match[2] or match[1])
    if max(first, last) > LARGEST:
        raise ValueError(f"a message number of more than 32 bits: {part!r}")
    return min(first, last), max(first, last)


def expand(ranges: Sequence[Range]) -> list[int]:
    """List all numbers.

    Raises:
        ValueError: There are more than a mailbox can have.
    """
    if sum(last - first + 1 for first, last in ranges) > MOST:
        raise ValueError("more message numbers than a mailbox has")
    return [number for first, last in ranges for number in range(first, last + 1)]


def write_set(numbers: Iterable[int]) -> bytes:
    """Write numbers, which must not be none, as a set with as few parts as possible."""
    return b",".join(b"%d" % first if first == last else b"%d:%d" % (first, last) for first, last in _runs(numbers))


def _runs(numbers: Iterable[int]) -> Iterator[Range]:
    first = last = -1
    for number in sorted(numbers):
        if number != last + 1 or first < 0:
            if first >= 0:
                yield first, last
            first = number
        last = number
    if first >= 0:
        yield first, last


def within(numbers: Sequence[int], ranges: Iterable[Range]) -> set[int]:
    """Return those of the sorted numbers that lie in the ranges, which may be wide."""
    found: set[int] = set()
    for first, last in ranges:
        found.update(numbers[bisect_left(numbers, first) : bisect_right(numbers, last)])
    return found
