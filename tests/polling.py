"""Waiting for what another process does, with a deadline instead of a sleep."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Return as soon as the check holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {getattr(holds, '__name__', holds)}"
        time.sleep(0.02)
