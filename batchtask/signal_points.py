"""Named points between two steps, where a test can stop the process; nothing happens there in production.

`reached` is called at each of them. Tests put a function of their own in its place, which kills the process at the
point under test: docs/crashes.md says for each point what is true afterwards.
"""

from __future__ import annotations

from collections.abc import Callable


def _nothing(point: str) -> None:
    """Cost nothing but the call."""


reached: Callable[[str], None] = _nothing
