"""Deciding on what a stream says, again whenever somebody else was first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from batchtask.errors import StoreError, StoreUnavailable

T = TypeVar("T")


def decide_until_first(decide_once: Callable[[], T | None]) -> T | StoreError:
    """Call until it gives a decision, and return that, or the error that is about this one task.

    Args:
        decide_once: Reads the stream, decides and appends; None when another writer was first.

    Raises:
        StoreUnavailable: Says nothing about the task: the whole batch is written again.
    """
    try:
        while True:
            decided = decide_once()
            if decided is not None:
                return decided
    except StoreUnavailable:
        raise
    except StoreError as error:
        return error
