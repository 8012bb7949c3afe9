"""A disk that takes no result, told in words: to print and to merge."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchtask.definitions import TaskFailure

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_errors(target: Path, *, again: str) -> Iterator[None]:
    """Tell in words why the result cannot be written.

    Args:
        target: The file that is being made.
        again: What to do once there is room: "print the report again".

    Raises:
        TaskFailure: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            sentence = f"The disk that holds {target.parent} is full: make room, then {again}."
        else:
            sentence = f"The result cannot be written to {target.parent}: {error.strerror or error}."
        raise TaskFailure(sentence) from error
